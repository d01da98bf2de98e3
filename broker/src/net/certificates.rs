//! The hub's own certificate authority and server certificate, made on first start (design.md 8).
//!
//! `ca.pem` is what clients trust, `ca.key` signs, `server.pem` and `server.key` serve. A certificate that no longer
//! names the host is signed anew by the same authority, so clients keep their trust.

use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use time::{Duration, OffsetDateTime};

/// Many TLS stacks refuse server certificates that live longer than this.
const SERVER_DAYS: i64 = 397;
const CA_DAYS: i64 = 3650;
/// A server certificate is renewed at start when it has less than this left.
const RENEW_DAYS: i64 = 60;

/// Where the serving chain and key are.
#[derive(Clone, Debug)]
pub struct ServerCertificate {
    /// PEM chain.
    pub cert: PathBuf,
    /// PEM key.
    pub key: PathBuf,
}

/// Makes what is missing in `dir` and returns the serving pair.
pub fn ensure(dir: &Path, hostname: &str) -> anyhow::Result<ServerCertificate> {
    let (ca_pem, ca_key) = (dir.join("ca.pem"), dir.join("ca.key"));
    let served = ServerCertificate { cert: dir.join("server.pem"), key: dir.join("server.key") };
    let made_for = dir.join("server.names");
    let mut renew = false;
    if !(ca_pem.exists() && ca_key.exists()) {
        let key = KeyPair::generate().context("making the CA key")?;
        let cert = ca_params(hostname)?.self_signed(&key).context("signing the CA certificate")?;
        write_secret(&ca_key, key.serialize_pem().as_bytes())?;
        write_public(&ca_pem, cert.pem().as_bytes())?;
        renew = true;
    }
    let now = OffsetDateTime::now_utc();
    let names = names(hostname);
    let wanted = names.join(" ");
    let current = fs::read_to_string(&made_for).unwrap_or_default();
    let fresh = current.split_once('\n').is_some_and(|(made_names, until)| {
        let until = until.trim().parse::<i64>().unwrap_or(0);
        made_names == wanted && until - now.unix_timestamp() > RENEW_DAYS * 86_400
    });
    if renew || !fresh || !served.cert.exists() || !served.key.exists() {
        let ca_key = KeyPair::from_pem(&fs::read_to_string(&ca_key).context("reading ca.key")?)
            .context("ca.key is not a private key; restore it, or remove ca.pem and ca.key to make a new CA")?;
        let ca_text = fs::read_to_string(&ca_pem).context("reading ca.pem")?;
        let issuer = Issuer::from_ca_cert_pem(&ca_text, ca_key).context(
            "ca.pem is not a certificate; restore it, or remove ca.pem and ca.key to make a new CA",
        )?;
        let mut params =
            CertificateParams::new(names).context("hostname cannot be put into a certificate")?;
        params.distinguished_name.push(DnType::CommonName, hostname);
        params.use_authority_key_identifier_extension = true;
        params.key_usages.push(KeyUsagePurpose::DigitalSignature);
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ServerAuth);
        params.not_before = now - Duration::days(1);
        params.not_after = now + Duration::days(SERVER_DAYS);
        let key = KeyPair::generate().context("making the server key")?;
        let cert = params.signed_by(&key, &issuer).context("signing the server certificate")?;
        write_secret(&served.key, key.serialize_pem().as_bytes())?;
        write_public(&served.cert, format!("{}{}", cert.pem(), ca_text).as_bytes())?;
        let until = (now + Duration::days(SERVER_DAYS)).unix_timestamp();
        write_public(&made_for, format!("{wanted}\n{until}\n").as_bytes())?;
    }
    Ok(served)
}

/// The names a server certificate carries: the hub's, and those of this machine's loopback.
fn names(hostname: &str) -> Vec<String> {
    let mut names = vec![hostname.to_owned()];
    for local in ["localhost", "127.0.0.1", "::1"] {
        if local != hostname {
            names.push(local.into());
        }
    }
    names
}

fn ca_params(hostname: &str) -> anyhow::Result<CertificateParams> {
    let now = OffsetDateTime::now_utc();
    let mut params = CertificateParams::new(Vec::<String>::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.distinguished_name.push(DnType::OrganizationName, "Ironhub");
    params.distinguished_name.push(DnType::CommonName, format!("Ironhub CA of {hostname}"));
    params.key_usages.extend([
        KeyUsagePurpose::DigitalSignature,
        KeyUsagePurpose::KeyCertSign,
        KeyUsagePurpose::CrlSign,
    ]);
    params.not_before = now - Duration::days(1);
    params.not_after = now + Duration::days(CA_DAYS);
    Ok(params)
}

/// Writes a file that holds keys: readable by its owner only, whole or not at all.
pub fn write_secret(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_with_mode(path, bytes, 0o600)
}

fn write_public(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    write_with_mode(path, bytes, 0o644)
}

/// Writes beside, syncs, renames: a crash leaves the old file or the new one.
pub fn write_with_mode(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let beside = path.with_extension("new");
    // A left-over of a crash may have another mode.
    let _ = fs::remove_file(&beside);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&beside)
        .with_context(|| format!("creating {}", beside.display()))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .with_context(|| format!("writing {}", path.display()))?;
    fs::rename(&beside, path).with_context(|| format!("writing {}", path.display()))?;
    if let Some(dir) = path.parent() {
        fs::File::open(dir)
            .and_then(|d| d.sync_all())
            .with_context(|| format!("syncing {}", dir.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn dir(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("ironhub-certs-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    #[test]
    fn a_second_start_keeps_ca_and_certificate() {
        let dir = dir("keep");
        ensure(&dir, "localhost").unwrap();
        let before =
            (fs::read(dir.join("ca.pem")).unwrap(), fs::read(dir.join("server.pem")).unwrap());
        ensure(&dir, "localhost").unwrap();
        assert_eq!(
            before,
            (fs::read(dir.join("ca.pem")).unwrap(), fs::read(dir.join("server.pem")).unwrap())
        );
        for secret in ["ca.key", "server.key"] {
            assert_eq!(fs::metadata(dir.join(secret)).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_new_hostname_keeps_the_ca_and_renews_the_certificate() {
        let dir = dir("rename");
        ensure(&dir, "localhost").unwrap();
        let (ca, server) =
            (fs::read(dir.join("ca.pem")).unwrap(), fs::read(dir.join("server.pem")).unwrap());
        ensure(&dir, "hub.example.net").unwrap();
        assert_eq!(ca, fs::read(dir.join("ca.pem")).unwrap());
        assert_ne!(server, fs::read(dir.join("server.pem")).unwrap());
        fs::remove_dir_all(dir).unwrap();
    }
}
