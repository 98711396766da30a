package audit

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"strconv"
)

// SaltBytes is the length of the salt of a record's details.
const SaltBytes = 16

// Genesis is the previous hash of the first record.
const Genesis = "0000000000000000000000000000000000000000000000000000000000000000"

// Names of the two hashes: another formula gets another name, so that old records stay verifiable.
const (
	recordFormula  = "deskfleet-audit-record-1"
	detailsFormula = "deskfleet-audit-details-1"
)

// Record is an event as a link of the chain.
type Record struct {
	// Number from 1, without a gap.
	Number uint64 `json:"number"`
	Event
	Namespace string `json:"namespace"`
	Desk      string `json:"desk"`
	// Salt of the details' digest, in hex.
	Salt string `json:"salt"`
	// PrevHash is the hash of the record before, or Genesis. Both are SHA-256 in hex.
	PrevHash string `json:"prevHash"`
	Hash     string `json:"hash"`
}

// Head is the last link of a chain; the zero value stands before the first.
type Head struct {
	Number uint64 `json:"number"`
	Hash   string `json:"hash"`
}

// Link makes the record that follows head. The event must have been decoded or encoded before; salt has
// SaltBytes from a secure source.
func Link(head Head, namespace, desk string, e Event, salt []byte) Record {
	r := Record{
		Number: head.Number + 1, Event: e, Namespace: namespace, Desk: desk,
		Salt: hex.EncodeToString(salt), PrevHash: head.hash(),
	}
	r.Hash = r.compute()
	return r
}

// Head of a chain that ends with this record.
func (r *Record) Head() Head { return Head{Number: r.Number, Hash: r.Hash} }

func (h Head) hash() string {
	if h.Number == 0 {
		return Genesis
	}
	return h.Hash
}

// compute the hash of the record over all its other fields.
func (r *Record) compute() string {
	details := sha256.New()
	write(details, detailsFormula, r.Salt, string(r.Details))
	h := sha256.New()
	write(h, recordFormula, strconv.FormatUint(r.Number, 10), r.PrevHash, r.Namespace, r.Desk,
		strconv.Itoa(r.V), string(r.ID), strconv.FormatInt(r.At.UnixNano(), 10), r.Role, r.Action,
		string(r.Who.Kind), r.Who.ID, r.Who.Name, string(r.Conversation), hex.EncodeToString(details.Sum(nil)))
	return hex.EncodeToString(h.Sum(nil))
}

// write each string behind its length: "ab","c" and "a","bc" must differ.
func write(h hash.Hash, fields ...string) {
	var length [8]byte
	for _, f := range fields {
		binary.BigEndian.PutUint64(length[:], uint64(len(f)))
		h.Write(length[:])
		h.Write([]byte(f))
	}
}

// Break is the first place where a chain does not hold.
type Break struct {
	// Number of the first record that cannot be trusted.
	Number uint64 `json:"number"`
	// Why in words.
	Why string `json:"why"`
}

// Verifier walks a chain record by record. The zero value begins before the first.
type Verifier struct{ head Head }

// Head of what was verified.
func (v *Verifier) Head() Head { return v.head }

// Next takes the record that follows and returns the break, if there is one.
func (v *Verifier) Next(r *Record) *Break {
	want := v.head.Number + 1
	switch {
	case r.Number != want:
		return &Break{Number: want, Why: fmt.Sprintf("record %d is missing, %d follows", want, r.Number)}
	case r.PrevHash != v.head.hash():
		return &Break{Number: want, Why: "it does not follow the record before: one of the two was replaced"}
	case r.Hash != r.compute():
		return &Break{Number: want, Why: "its content does not match its hash: it was changed"}
	}
	v.head = r.Head()
	return nil
}

// End compares what was verified with the head that the archive noted.
func (v *Verifier) End(noted Head) *Break {
	switch {
	case v.head.Number < noted.Number:
		return &Break{Number: v.head.Number + 1, Why: fmt.Sprintf("the chain ends at %d, but %d records were written", v.head.Number, noted.Number)}
	case v.head != noted && v.head.Number == noted.Number:
		return &Break{Number: noted.Number, Why: "the last record is not the one that was noted as the head"}
	case v.head.Number > noted.Number:
		return &Break{Number: noted.Number + 1, Why: fmt.Sprintf("%d records were noted, but the chain goes on: the rest was inserted", noted.Number)}
	}
	return nil
}
