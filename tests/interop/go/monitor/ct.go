package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/client"
	"github.com/google/certificate-transparency-go/jsonclient"
	"github.com/transparency-dev/merkle/proof"
	"github.com/transparency-dev/merkle/rfc6962"
)

func (w *watch) ct(ctx context.Context) error {
	var key string
	for _, log := range w.trusted.CTLogs() {
		if log.BaseURL == w.url {
			der, err := x509.MarshalPKIXPublicKey(log.PublicKey)
			if err != nil {
				return err
			}
			key = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
		}
	}
	if key == "" {
		return fmt.Errorf("the trusted root has no log of certificates at %s", w.url)
	}
	// With the key, the client verifies each head that it gets.
	api, err := client.New(w.url, http.DefaultClient, jsonclient.Options{PublicKey: key})
	if err != nil {
		return err
	}
	head, err := api.GetSTH(ctx)
	if err != nil {
		return err
	}
	seen, err := w.continuesCT(ctx, api, head)
	if err != nil {
		return err
	}
	var hashes [][]byte
	for next := int64(seen); next < int64(head.TreeSize); {
		// The end is one beyond the tree, as Sigstore's monitor asks.
		raw, err := api.GetRawEntries(ctx, next, int64(head.TreeSize))
		if err != nil {
			return err
		}
		for _, leaf := range raw.Entries {
			entry, err := ct.LogEntryFromLeaf(next, &leaf)
			if err != nil {
				return fmt.Errorf("entry %d: %w", next, err)
			}
			if entry.Precert == nil {
				return fmt.Errorf("entry %d is no precertificate", next)
			}
			certificate, err := x509.ParseCertificate(entry.Precert.Submitted.Data)
			if err != nil {
				return fmt.Errorf("entry %d: %w", next, err)
			}
			w.look(uint64(next), certificate)
			hashes = append(hashes, rfc6962.DefaultHasher.HashLeaf(leaf.LeafInput))
			next++
		}
	}
	for at, hash := range hashes {
		answer, err := api.GetProofByHash(ctx, hash, head.TreeSize)
		if err != nil {
			return err
		}
		if err := proof.VerifyInclusion(rfc6962.DefaultHasher, seen+uint64(at), head.TreeSize, hash,
			answer.AuditPath, head.SHA256RootHash[:]); err != nil {
			return fmt.Errorf("entry %d: %w", seen+uint64(at), err)
		}
	}
	written, err := json.Marshal(head)
	if err != nil {
		return err
	}
	return w.keep(string(written))
}

func (w *watch) continuesCT(ctx context.Context, api *client.LogClient, head *ct.SignedTreeHead) (uint64, error) {
	kept, err := w.last()
	if err != nil || kept == "" {
		return 0, err
	}
	var last ct.SignedTreeHead
	if err := json.Unmarshal([]byte(kept), &last); err != nil {
		return 0, err
	}
	if last.TreeSize > head.TreeSize {
		return 0, fmt.Errorf("the log is not consistent with what was seen: it shrank from %d to %d", last.TreeSize, head.TreeSize)
	}
	var path [][]byte
	if last.TreeSize < head.TreeSize {
		if path, err = api.GetSTHConsistency(ctx, last.TreeSize, head.TreeSize); err != nil {
			return 0, fmt.Errorf("the log is not consistent with what was seen: %w", err)
		}
	}
	if err := proof.VerifyConsistency(rfc6962.DefaultHasher, last.TreeSize, head.TreeSize, path,
		last.SHA256RootHash[:], head.SHA256RootHash[:]); err != nil {
		return 0, fmt.Errorf("the log is not consistent with what was seen: %w", err)
	}
	return last.TreeSize, nil
}
