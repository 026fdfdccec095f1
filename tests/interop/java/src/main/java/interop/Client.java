package interop;

import dev.sigstore.AlgorithmRegistry.SigningAlgorithm;
import dev.sigstore.KeylessSigner;
import dev.sigstore.KeylessVerifier;
import dev.sigstore.SigningConfigProvider;
import dev.sigstore.TrustedRootProvider;
import dev.sigstore.VerificationOptions;
import dev.sigstore.VerificationOptions.CertificateMatcher;
import dev.sigstore.bundle.Bundle;
import dev.sigstore.oidc.client.OidcClients;
import dev.sigstore.oidc.client.TokenStringOidcClient;
import dev.sigstore.strings.StringMatcher;
import dev.sigstore.tuf.RootProvider;
import dev.sigstore.tuf.SigstoreTufClient;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.Map;

/**
 * A command line for the published library, which has none.
 *
 * <pre>
 *   Client sign   --bundle OUT --token JWT --rekor 1|2 TRUST FILE
 *   Client attest --bundle OUT --token JWT --rekor 1|2 TRUST STATEMENT
 *   Client verify --bundle IN --identity NAME --issuer URL TRUST FILE
 * </pre>
 *
 * TRUST is either {@code --trusted-root FILE --signing-config FILE} or {@code --mirror URL --root FILE
 * --cache FOLDER}. If the library rejects the input, the program exits with a stack trace and status 1.
 */
final class Client {
  private final Map<String, String> options = new HashMap<>();
  private final String command;
  private final Path file;

  private Client(String[] args) {
    command = args[0];
    file = Path.of(args[args.length - 1]);
    for (int i = 1; i < args.length - 1; i += 2) {
      options.put(args[i], args[i + 1]);
    }
  }

  public static void main(String[] args) throws Exception {
    new Client(args).run();
  }

  private void run() throws Exception {
    switch (command) {
      case "sign" -> write(signer().signFile(file));
      case "attest" -> write(signer().attest(Files.readString(file)));
      case "verify" -> verify();
      default -> throw new IllegalArgumentException("no such command: " + command);
    }
  }

  private String option(String name) {
    String value = options.get(name);
    if (value == null) {
      throw new IllegalArgumentException(name + " is missing");
    }
    return value;
  }

  private SigstoreTufClient.Builder mirror() throws Exception {
    return SigstoreTufClient.builder()
        .tufMirror(URI.create(option("--mirror")), RootProvider.fromFile(Path.of(option("--root"))))
        .tufCacheLocation(Path.of(option("--cache")));
  }

  private TrustedRootProvider trustedRoot() throws Exception {
    return options.containsKey("--mirror")
        ? TrustedRootProvider.from(mirror())
        : TrustedRootProvider.from(Path.of(option("--trusted-root")));
  }

  private SigningConfigProvider signingConfig() throws Exception {
    return options.containsKey("--mirror")
        ? SigningConfigProvider.from(mirror())
        : SigningConfigProvider.from(Path.of(option("--signing-config")));
  }

  private KeylessSigner signer() throws Exception {
    return KeylessSigner.builder()
        .trustedRootProvider(trustedRoot())
        .signingConfigProvider(signingConfig())
        .signingAlgorithm(SigningAlgorithm.PKIX_ECDSA_P256_SHA_256)
        .enableRekorV2(option("--rekor").equals("2"))
        .forceCredentialProviders(OidcClients.of(TokenStringOidcClient.from(option("--token"))))
        .build();
  }

  private void write(Bundle bundle) throws Exception {
    Files.writeString(Path.of(option("--bundle")), bundle.toJson());
  }

  private void verify() throws Exception {
    CertificateMatcher signer =
        CertificateMatcher.fulcio()
            .subjectAlternativeName(StringMatcher.string(option("--identity")))
            .issuer(StringMatcher.string(option("--issuer")))
            .build();
    KeylessVerifier.builder()
        .trustedRootProvider(trustedRoot())
        .build()
        .verify(
            file,
            Bundle.from(Path.of(option("--bundle")), StandardCharsets.UTF_8),
            VerificationOptions.builder().addCertificateMatchers(signer).build());
  }
}
