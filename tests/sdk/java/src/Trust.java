import java.io.FileInputStream;
import java.io.OutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** The hub's CA, in the two ways Java users trust one: an SSLContext of the client, and the JVM's own trust store. */
final class Trust {
    private static final String PASSWORD = "changeit";

    private Trust() {}

    private static KeyStore store(String pem) throws Exception {
        KeyStore store = KeyStore.getInstance("PKCS12");
        store.load(null, null);
        try (FileInputStream file = new FileInputStream(pem)) {
            store.setCertificateEntry("hub", CertificateFactory.getInstance("X.509").generateCertificate(file));
        }
        return store;
    }

    /** The context that device clients are given in their options. */
    static SSLContext context(String pem) throws Exception {
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(store(pem));
        SSLContext context = SSLContext.getInstance("TLSv1.2");
        context.init(null, trust.getTrustManagers(), null);
        return context;
    }

    /** The service clients that speak HTTPS have no such option; they trust what the JVM trusts. */
    static void everywhere(String pem) throws Exception {
        Path file = Files.createTempFile("trust", ".p12");
        file.toFile().deleteOnExit();
        try (OutputStream out = Files.newOutputStream(file)) {
            store(pem).store(out, PASSWORD.toCharArray());
        }
        System.setProperty("javax.net.ssl.trustStore", file.toString());
        System.setProperty("javax.net.ssl.trustStorePassword", PASSWORD);
        System.setProperty("javax.net.ssl.trustStoreType", "PKCS12");
    }
}
