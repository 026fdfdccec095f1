package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/sigstore/rekor-tiles/v2/pkg/client/read"
	"github.com/sigstore/rekor-tiles/v2/pkg/note"
	"github.com/sigstore/rekor-tiles/v2/pkg/verify"
	"github.com/sigstore/sigstore/pkg/signature"
	"github.com/transparency-dev/tessera/client"
)

// The part of an entry that the monitor reads: the certificates that verify it.
type bodyV2 struct {
	Spec struct {
		HashedRekord struct {
			Signature signatureV2 `json:"signature"`
		} `json:"hashedRekordV002"`
		DSSE struct {
			Signatures []signatureV2 `json:"signatures"`
		} `json:"dsseV002"`
	} `json:"spec"`
}

type signatureV2 struct {
	Verifier struct {
		Certificate struct {
			RawBytes []byte `json:"rawBytes"`
		} `json:"x509Certificate"`
	} `json:"verifier"`
}

func (w *watch) rekorV2(ctx context.Context) error {
	log, err := w.logKey(true)
	if err != nil {
		return err
	}
	verifier, err := signature.LoadDefaultVerifier(log.PublicKey)
	if err != nil {
		return err
	}
	// The name is derived as Sigstore's monitor does: all that follows the scheme.
	_, origin, _ := strings.Cut(w.url, "://")
	tiles, err := read.NewReader(w.url, origin, verifier)
	if err != nil {
		return err
	}
	head, signed, err := tiles.ReadCheckpoint(ctx)
	if err != nil {
		return err
	}
	written := signed.Text + "\n"
	for _, line := range signed.Sigs {
		written += fmt.Sprintf("— %s %s\n", line.Name, line.Base64)
	}
	var seen uint64
	kept, err := w.last()
	if err != nil {
		return err
	}
	if kept != "" {
		names, err := note.NewNoteVerifier(origin, verifier)
		if err != nil {
			return err
		}
		last, err := verify.VerifyCheckpoint(kept, names)
		if err != nil {
			return fmt.Errorf("the last head: %w", err)
		}
		if last.Size > head.Size {
			return fmt.Errorf("the log is not consistent with what was seen: it shrank from %d to %d", last.Size, head.Size)
		}
		builder, err := client.NewProofBuilder(ctx, head.Size, tiles.ReadTile)
		if err != nil {
			return err
		}
		proof, err := builder.ConsistencyProof(ctx, last.Size, head.Size)
		if err != nil {
			return fmt.Errorf("the log is not consistent with what was seen: %w", err)
		}
		if err := verify.VerifyConsistencyProof(proof, last.Size, last.Hash, written, names); err != nil {
			return fmt.Errorf("the log is not consistent with what was seen: %w", err)
		}
		seen = last.Size
	}
	for index := seen - seen%256; index < head.Size; index += 256 {
		bundle, err := client.GetEntryBundle(ctx, tiles.ReadEntryBundle, index/256, head.Size)
		if err != nil {
			return err
		}
		for offset, body := range bundle.Entries {
			if at := index + uint64(offset); at >= seen {
				if err := w.lookV2(at, body); err != nil {
					return fmt.Errorf("entry %d: %w", at, err)
				}
			}
		}
	}
	return w.keep(written)
}

func (w *watch) lookV2(index uint64, body []byte) error {
	var entry bodyV2
	if err := json.Unmarshal(body, &entry); err != nil {
		return err
	}
	for _, one := range append(entry.Spec.DSSE.Signatures, entry.Spec.HashedRekord.Signature) {
		if len(one.Verifier.Certificate.RawBytes) == 0 {
			continue
		}
		certificate, err := x509.ParseCertificate(one.Verifier.Certificate.RawBytes)
		if err != nil {
			return err
		}
		w.look(index, certificate)
	}
	return nil
}
