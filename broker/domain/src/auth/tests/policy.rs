use super::*;
use crate::HubError;
use crate::auth::{
    Permissions, Policy, PolicySet, Principal, SasToken, SymmetricKeys, authenticate_policy,
};
use crate::time::UnixMs;

/// The key of the observed tokens in service-protocols.md 1.2.
const OBSERVED_KEY: &str = "a2tra2tra2tra2tra2tra2tra2tra2tra2tra2tra2s=";

fn policies(key: &str) -> PolicySet {
    let keys = SymmetricKeys { primary: OTHER_KEY.into(), secondary: key.into() };
    PolicySet::new(vec![
        Policy { name: "iothubowner".into(), keys: keys.clone(), permissions: Permissions::ALL },
        Policy { name: "service".into(), keys, permissions: Permissions::SERVICE_CONNECT },
    ])
}

fn ask(token: &str, host: &str, key: &str) -> Result<Principal, HubError> {
    let now = UnixMs(1_795_381_000_000);
    authenticate_policy(&SasToken::parse(token)?, host, &policies(key), now)
}

#[test]
fn the_observed_tokens_verify_with_the_key_decoded_and_as_text() {
    let hub = "SharedAccessSignature sr=hub1.example.test\
               &sig=ACOZm1dOdkla2y1jHp5kT6hlKkk7ALno%2BMZ%2BCCG4YFE%3D&se=1795381563&skn=iothubowner";
    let principal = ask(hub, "hub1.example.test", OBSERVED_KEY).unwrap();
    assert_eq!(principal.policy, "iothubowner");
    assert_eq!(principal.expires, UnixMs(1_795_381_563_000));
    assert!(principal.may(Permissions::REGISTRY_WRITE, "/devices/d1"));

    let events = "SharedAccessSignature sr=sb%3A%2F%2Feh1.example.test%2Fiothub-eh\
                  &sig=%2BsX6yIk%2B4hqUK%2FIPHwIYecelC5Qr8vcdXwEYWgJuIX8%3D&se=1795381854&skn=service";
    let principal = ask(events, "eh1.example.test", OBSERVED_KEY).unwrap();
    assert!(
        principal
            .may(Permissions::SERVICE_CONNECT, "iothub-eh/ConsumerGroups/$Default/Partitions/0")
    );
    assert!(!principal.may(Permissions::SERVICE_CONNECT, "iothub-eh2"));

    assert!(ask(events, "hub1.example.test", OBSERVED_KEY).is_err(), "another host");
    assert!(ask(events, "eh1.example.test", OTHER_KEY).is_err(), "another key");
    assert!(
        ask(&hub.replace("iothubowner", "service1"), "hub1.example.test", OBSERVED_KEY).is_err()
    );
    assert!(ask(&hub.replace("&skn=iothubowner", ""), "hub1.example.test", OBSERVED_KEY).is_err());
}

/// One row per client of service-protocols.md 1.2.
#[test]
fn every_client_writes_its_own_way_and_is_let_in() {
    let hub = "hub.example.net";
    let entity = "sb%3A%2F%2Fhub.example.net%2Fiothub-eh";
    let lower_entity = "sb%3a%2f%2fhub.example.net%2fiothub-eh";
    let entity_plain = "sb://hub.example.net/iothub-eh";
    let decoded_sig = |sr: &str| hmac(&decoded(KEY), &format!("{sr}\n{SE}"));
    let text_sig = |sr: &str| hmac(KEY.as_bytes(), &format!("{sr}\n{SE}"));
    let lower = |sig: String| {
        quoted(&sig).replace("%2B", "%2b").replace("%2F", "%2f").replace("%3D", "%3d")
    };
    for (client, fields) in [
        (
            "azure-iot-hub over HTTP",
            format!(
                "sr={hub}&sig={}&se={SE}&skn=service",
                decoded_sig(hub).replace('+', "%2B").replace('=', "%3D")
            ),
        ),
        (
            "azure-iot-hub over AMQP signs the host unencoded",
            format!(
                "sr=hub.example.net%3A5671&sig={}&se={SE}&skn=service",
                quoted(&decoded_sig("hub.example.net:5671"))
            ),
        ),
        ("azure-iothub", format!("sr={hub}&sig={}&skn=service&se={SE}", quoted(&decoded_sig(hub)))),
        (
            "event-hubs",
            format!("sr={entity}&sig={}&se={SE}&skn=service", quoted(&text_sig(entity))),
        ),
        (
            "uamqp",
            format!("sr={lower_entity}&sig={}&se={SE}&skn=service", lower(text_sig(lower_entity))),
        ),
        (
            "documentation helper, encoded after signing",
            format!("sr={entity}&sig={}&se={SE}&skn=service", quoted(&decoded_sig(entity_plain))),
        ),
        (
            "documentation format string",
            format!("sig={}&se={SE}&skn=service&sr={hub}", quoted(&decoded_sig(hub))),
        ),
    ] {
        let token = SasToken::parse(&format!("SharedAccessSignature {fields}")).unwrap();
        let principal = authenticate_policy(&token, HOST, &policies(KEY), NOW);
        assert!(
            principal.is_ok_and(|p| p.may(Permissions::SERVICE_CONNECT, "/iothub-eh/x")),
            "{client}"
        );
    }
}

#[test]
fn a_principal_may_what_its_policy_allows_below_its_scope() {
    let check = |sr: &str, policy: &str, permission, path: &str| {
        let sig = quoted(&hmac(&decoded(KEY), &format!("{sr}\n{SE}")));
        let text = format!("SharedAccessSignature sr={sr}&sig={sig}&se={SE}&skn={policy}");
        let token = SasToken::parse(&text).unwrap();
        authenticate_policy(&token, HOST, &policies(KEY), NOW).unwrap().check(permission, path)
    };
    let read = Permissions::REGISTRY_READ;
    let service = Permissions::SERVICE_CONNECT;
    assert_eq!(check("hub.example.net", "iothubowner", read, "devices/d"), Ok(()));
    assert_eq!(check("hub.example.net", "iothubowner", read, ""), Ok(()));
    assert_eq!(check("hub.example.net%2Fdevices", "iothubowner", read, "/Devices/d"), Ok(()));
    assert_eq!(
        check("hub.example.net/messages/events", "service", service, "messages/events"),
        Ok(())
    );
    assert_eq!(
        check("hub.example.net", "service", read, "devices/d"),
        Err(HubError::Forbidden("policy \"service\" does not allow RegistryRead".into()))
    );
    assert_eq!(
        check("hub.example.net%2Fdevices", "iothubowner", service, "twins/d"),
        Err(HubError::Forbidden("the token's scope does not cover \"twins/d\"".into()))
    );
    assert!(check("hub.example.net%2Fdevices", "iothubowner", read, "").is_err());
    assert!(check("hub.example.net/devices/d1", "iothubowner", read, "devices/d2").is_err());
}

#[test]
fn a_new_hub_has_the_five_default_policies() {
    let mut count = 0;
    let set = PolicySet::defaults(|| {
        count += 1;
        format!("key{count}")
    });
    let names: Vec<_> = set.iter().map(|p| format!("{} {}", p.name, p.permissions)).collect();
    assert_eq!(
        names,
        [
            "iothubowner RegistryRead, RegistryWrite, ServiceConnect, DeviceConnect",
            "service ServiceConnect",
            "device DeviceConnect",
            "registryRead RegistryRead",
            "registryReadWrite RegistryRead, RegistryWrite",
        ]
    );
    assert_eq!(set.get("device").unwrap().keys.secondary, "key6");
    assert!(set.get("Device").is_none());
    assert!(!format!("{set:?}").contains("key6"), "keys never reach a log");
}
