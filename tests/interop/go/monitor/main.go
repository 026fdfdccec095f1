// Monitors one log with the libraries that rekor-monitor uses: it verifies the head with the trusted root's key,
// verifies consistency with the head of the last run, and searches the new entries for an identity.
//
//	monitor v1|v2|ct -url URL -trusted-root FILE -identity REGEXP -state FILE
//
// Exits with 1 if a check fails. Prints what it found.
package main

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"

	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
)

// watch contains the options of a run.
type watch struct {
	url, state string
	trusted    *root.TrustedRoot
	identity   *regexp.Regexp
	found      int
}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "alarm:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New("which log: v1, v2 or ct?")
	}
	flags := flag.NewFlagSet(args[0], flag.ExitOnError)
	url := flags.String("url", "", "the log's URL")
	trusted := flags.String("trusted-root", "", "trusted root, a file")
	identity := flags.String("identity", "", "what to look for in certificates, a regular expression")
	state := flags.String("state", "", "where the last head is kept")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	w := &watch{url: *url, state: *state}
	var err error
	if w.trusted, err = root.NewTrustedRootFromPath(*trusted); err != nil {
		return err
	}
	if w.identity, err = regexp.Compile(*identity); err != nil {
		return err
	}
	switch args[0] {
	case "v1":
		err = w.rekorV1(ctx)
	case "v2":
		err = w.rekorV2(ctx)
	case "ct":
		err = w.ct(ctx)
	default:
		err = fmt.Errorf("no log %q", args[0])
	}
	if err == nil {
		fmt.Printf("%d found\n", w.found)
	}
	return err
}

// last is the head of the last run, empty on the first run.
func (w *watch) last() (string, error) {
	written, err := os.ReadFile(w.state)
	if errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	return string(written), err
}

func (w *watch) keep(head string) error { return os.WriteFile(w.state, []byte(head), 0o600) }

// look prints the certificate at an index if its identity matches.
func (w *watch) look(index uint64, certificate *x509.Certificate) {
	for _, name := range cryptoutils.GetSubjectAlternateNames(certificate) {
		if w.identity.MatchString(name) {
			w.found++
			fmt.Printf("found %s at %d\n", name, index)
		}
	}
}

// logKey returns the key of the trusted root's log with that base URL. The two Rekor logs have keys of
// different kinds.
func (w *watch) logKey(edwards bool) (*root.TransparencyLog, error) {
	for _, log := range w.trusted.RekorLogs() {
		if _, is := log.PublicKey.(ed25519.PublicKey); is == edwards && log.BaseURL == w.url {
			return log, nil
		}
	}
	return nil, fmt.Errorf("the trusted root has no such log at %s", w.url)
}
