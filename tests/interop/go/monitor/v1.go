package main

import (
	"bytes"
	"context"
	"crypto"
	"encoding/base64"
	"fmt"

	"github.com/go-openapi/runtime"
	"github.com/sigstore/rekor/pkg/client"
	rekor "github.com/sigstore/rekor/pkg/generated/client"
	"github.com/sigstore/rekor/pkg/generated/client/entries"
	"github.com/sigstore/rekor/pkg/generated/client/tlog"
	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/rekor/pkg/types"
	_ "github.com/sigstore/rekor/pkg/types/dsse/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/hashedrekord/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/intoto/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/intoto/v0.0.2"
	_ "github.com/sigstore/rekor/pkg/types/rekord/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/rfc3161/v0.0.1"
	"github.com/sigstore/rekor/pkg/util"
	"github.com/sigstore/rekor/pkg/verify"
	"github.com/sigstore/sigstore/pkg/cryptoutils"
	"github.com/sigstore/sigstore/pkg/signature"
)

// rekor-monitor requests ten entries at a time, the maximum of the API.
const page = 10

func (w *watch) rekorV1(ctx context.Context) error {
	log, err := w.logKey(false)
	if err != nil {
		return err
	}
	verifier, err := signature.LoadVerifier(log.PublicKey, crypto.SHA256)
	if err != nil {
		return err
	}
	api, err := client.GetRekorClient(w.url)
	if err != nil {
		return err
	}
	answer, err := api.Tlog.GetLogInfo(tlog.NewGetLogInfoParamsWithContext(ctx))
	if err != nil {
		return err
	}
	info := answer.GetPayload()
	var head util.SignedCheckpoint
	if err := head.UnmarshalText([]byte(*info.SignedTreeHead)); err != nil {
		return err
	}
	if !head.Verify(verifier) {
		return fmt.Errorf("the head is not signed by the log's key")
	}
	seen, err := w.continues(ctx, api, verifier, &head, *info.TreeID)
	if err != nil {
		return err
	}
	for first := seen; first < int64(head.Size); first += page {
		if err := w.scan(ctx, api, verifier, first, min(first+page, int64(head.Size))); err != nil {
			return err
		}
	}
	return w.keep(*info.SignedTreeHead)
}

// continues verifies that the head is consistent with the last one, and returns the size of the last one.
func (w *watch) continues(ctx context.Context, api *rekor.Rekor, verifier signature.Verifier, head *util.SignedCheckpoint, tree string) (int64, error) {
	kept, err := w.last()
	if err != nil || kept == "" {
		return 0, err
	}
	var last util.SignedCheckpoint
	if err := last.UnmarshalText([]byte(kept)); err != nil {
		return 0, err
	}
	if !last.Verify(verifier) {
		return 0, fmt.Errorf("the last head is not signed by the log's key")
	}
	if err := verify.ProveConsistency(ctx, api, &last, head, tree); err != nil {
		return 0, fmt.Errorf("the log is not consistent with what was seen: %w", err)
	}
	return int64(last.Size), nil
}

// scan verifies the entries from first to end, exclusive, and checks their keys.
func (w *watch) scan(ctx context.Context, api *rekor.Rekor, verifier signature.Verifier, first, end int64) error {
	var query models.SearchLogQuery
	for index := first; index < end; index++ {
		query.LogIndexes = append(query.LogIndexes, &index)
	}
	answer, err := api.Entries.SearchLogQuery(entries.NewSearchLogQueryParamsWithContext(ctx).WithEntry(&query))
	if err != nil {
		return err
	}
	if got := int64(len(answer.Payload)); got != end-first {
		return fmt.Errorf("%d entries from %d on were asked for, %d came", end-first, first, got)
	}
	for _, found := range answer.Payload {
		for _, entry := range found {
			if err := verify.VerifyLogEntry(ctx, &entry, verifier); err != nil {
				return fmt.Errorf("entry %d: %w", *entry.LogIndex, err)
			}
			if err := w.lookV1(&entry); err != nil {
				return fmt.Errorf("entry %d: %w", *entry.LogIndex, err)
			}
		}
	}
	return nil
}

func (w *watch) lookV1(entry *models.LogEntryAnon) error {
	body, err := base64.StdEncoding.DecodeString(entry.Body.(string))
	if err != nil {
		return err
	}
	proposed, err := models.UnmarshalProposedEntry(bytes.NewReader(body), runtime.JSONConsumer())
	if err != nil {
		return err
	}
	kind, err := types.UnmarshalEntry(proposed)
	if err != nil {
		return err
	}
	if proposed.Kind() == "rfc3161" {
		// A timestamp has no key that a log would name.
		return nil
	}
	keys, err := kind.Verifiers()
	if err != nil {
		return err
	}
	for _, key := range keys {
		canonical, err := key.CanonicalValue()
		if err != nil {
			return err
		}
		// Keys that are no certificates have no identity to look for.
		if certificates, err := cryptoutils.UnmarshalCertificatesFromPEM(canonical); err == nil && len(certificates) > 0 {
			w.look(uint64(*entry.LogIndex), certificates[0])
		}
	}
	return nil
}
