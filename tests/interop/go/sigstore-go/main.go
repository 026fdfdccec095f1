// Signs and verifies with sigstore-go. The services come from a signing configuration and the trust from a
// trusted root, both from files or both by TUF.
//
//	sigstore-go sign   [trust options] -token TOKEN [-statement] -bundle OUT FILE
//	sigstore-go verify [trust options] -identity ID -issuer URL -bundle BUNDLE FILE
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/sign"
	"github.com/sigstore/sigstore-go/pkg/tuf"
	"github.com/sigstore/sigstore-go/pkg/verify"
	"google.golang.org/protobuf/encoding/protojson"
)

type options struct {
	trustedRoot, signingConfig, mirror, root string
	token, bundle, identity, issuer          string
	statement                                bool
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 0 {
		return errors.New("sign or verify?")
	}
	var o options
	flags := flag.NewFlagSet(args[0], flag.ExitOnError)
	flags.StringVar(&o.trustedRoot, "trusted-root", "", "trusted root, a file")
	flags.StringVar(&o.signingConfig, "signing-config", "", "signing configuration, a file")
	flags.StringVar(&o.mirror, "tuf-mirror", "", "TUF repository, instead of both files")
	flags.StringVar(&o.root, "tuf-root", "", "the TUF repository's first root, a file")
	flags.StringVar(&o.token, "token", "", "identity token")
	flags.StringVar(&o.bundle, "bundle", "", "the bundle, a file")
	flags.StringVar(&o.identity, "identity", "", "whose certificate it must be")
	flags.StringVar(&o.issuer, "issuer", "", "whose token it was")
	flags.BoolVar(&o.statement, "statement", false, "FILE is an in-toto statement")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if flags.NArg() != 1 {
		return errors.New("one file, please")
	}
	trusted, services, err := o.trust()
	if err != nil {
		return err
	}
	switch args[0] {
	case "sign":
		return o.sign(trusted, services, flags.Arg(0))
	case "verify":
		return o.verify(trusted, flags.Arg(0))
	}
	return fmt.Errorf("no command %q", args[0])
}

// trust reads both documents; the signing configuration is nil if no file names one.
func (o *options) trust() (*root.TrustedRoot, *root.SigningConfig, error) {
	if o.mirror != "" {
		return o.trustByTUF()
	}
	trusted, err := root.NewTrustedRootFromPath(o.trustedRoot)
	if err != nil || o.signingConfig == "" {
		return trusted, nil, err
	}
	services, err := root.NewSigningConfigFromPath(o.signingConfig)
	return trusted, services, err
}

func (o *options) trustByTUF() (*root.TrustedRoot, *root.SigningConfig, error) {
	first, err := os.ReadFile(o.root)
	if err != nil {
		return nil, nil, err
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return nil, nil, err
	}
	client, err := tuf.New(tuf.DefaultOptions().WithRoot(first).WithRepositoryBaseURL(o.mirror).
		WithCachePath(filepath.Join(home, "tuf")))
	if err != nil {
		return nil, nil, err
	}
	trusted, err := root.GetTrustedRoot(client)
	if err != nil {
		return nil, nil, err
	}
	services, err := root.GetSigningConfig(client)
	return trusted, services, err
}

func (o *options) sign(trusted *root.TrustedRoot, services *root.SigningConfig, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var content sign.Content = &sign.PlainData{Data: data}
	if o.statement {
		content = &sign.DSSEData{Data: data, PayloadType: "application/vnd.in-toto+json"}
	}
	keypair, err := sign.NewEphemeralKeypair(nil)
	if err != nil {
		return err
	}
	settings := sign.BundleOptions{
		TrustedRoot:                trusted,
		CertificateProviderOptions: &sign.CertificateProviderOptions{IDToken: o.token},
	}
	if err := choose(services, &settings); err != nil {
		return err
	}
	signed, err := sign.Bundle(content, keypair, settings)
	if err != nil {
		return err
	}
	written, err := protojson.Marshal(signed)
	if err != nil {
		return err
	}
	return os.WriteFile(o.bundle, written, 0o600)
}

// choose returns the services that the signing configuration selects for the versions the library supports.
func choose(services *root.SigningConfig, settings *sign.BundleOptions) error {
	if services == nil {
		return errors.New("signing needs a signing configuration")
	}
	now := time.Now()
	ca, err := root.SelectService(services.FulcioCertificateAuthorityURLs(), sign.FulcioAPIVersions, now)
	if err != nil {
		return err
	}
	settings.CertificateProvider = sign.NewFulcio(&sign.FulcioOptions{BaseURL: ca.URL, Timeout: 30 * time.Second})
	logs, err := root.SelectServices(services.RekorLogURLs(), services.RekorLogURLsConfig(), sign.RekorAPIVersions, now)
	if err != nil {
		return err
	}
	for _, log := range logs {
		settings.TransparencyLogs = append(settings.TransparencyLogs, sign.NewRekor(&sign.RekorOptions{
			BaseURL: log.URL, Timeout: 30 * time.Second, Version: log.MajorAPIVersion,
		}))
	}
	authorities, err := root.SelectServices(services.TimestampAuthorityURLs(),
		services.TimestampAuthorityURLsConfig(), sign.TimestampAuthorityAPIVersions, now)
	if err != nil {
		return err
	}
	for _, tsa := range authorities {
		settings.TimestampAuthorities = append(settings.TimestampAuthorities,
			sign.NewTimestampAuthority(&sign.TimestampAuthorityOptions{URL: tsa.URL, Timeout: 30 * time.Second}))
	}
	return nil
}

func (o *options) verify(trusted *root.TrustedRoot, path string) error {
	entity, err := bundle.LoadJSONFromPath(o.bundle)
	if err != nil {
		return err
	}
	verifier, err := verify.NewVerifier(trusted, verify.WithSignedCertificateTimestamps(1),
		verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
	if err != nil {
		return err
	}
	who, err := verify.NewShortCertificateIdentity(o.issuer, "", o.identity, "")
	if err != nil {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = verifier.Verify(entity, verify.NewPolicy(verify.WithArtifact(file), verify.WithCertificateIdentity(who)))
	return err
}
