// Package contacttoken makes and checks the tokens by which customers resume their conversations.
//
// A token says "the bearer is this contact on this channel of this desk, until then". It is
//
//	dft1.<claims>.<mac>
//
// where claims is base64url of a small JSON object and mac is base64url of
//
//	HMAC-SHA256(key, "deskfleet contact token 1" NUL namespace "/" desk NUL "dft1." claims)
//
// with a key of 32 bytes that only the desk's gateways have. There is one algorithm and the token names
// none, so that a client cannot choose a weaker one, and the desk's name is signed without being sent, so
// that a token of another desk is worthless even if both were given the same key.
package contacttoken

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

// KeySize of a signing key in bytes.
const KeySize = 32

// Validity of a token. Whoever does not come back for so long begins as a new contact.
const Validity = 30 * 24 * time.Hour

// RenewAfter is the age at which a gateway gives a contact a new token.
const RenewAfter = 24 * time.Hour

// MaxBytes of a token; longer ones are refused unread.
const MaxBytes = 1024

// skew is how far the clocks of gateways may differ.
const skew = 5 * time.Minute

const (
	prefix = "dft1."
	domain = "deskfleet contact token 1\x00"
)

// Claims of a token.
type Claims struct {
	// Contact is the contact's token in subjects and events.
	Contact string `json:"c"`
	// Channel that the token is good for.
	Channel string `json:"h"`
	// Name that the contact gave, for agents to see; may be empty.
	Name string `json:"n,omitempty"`
	// Attributes that the signer assures of the contact, such as the tier. Gateways carry them on and add none: they come
	// from whoever else has the desk's key.
	Attributes conversation.Attributes `json:"a,omitempty"`
	// Issued and Expires in seconds since 1970.
	Issued  int64 `json:"i"`
	Expires int64 `json:"e"`
}

// Errors of Verify.
var (
	// ErrInvalid: the token was not made by this desk for this channel, or was changed.
	ErrInvalid = errors.New("contact token is not valid")
	// ErrExpired: it was valid once.
	ErrExpired = errors.New("contact token has expired")
	// ErrNoKey: the desk has no signing key.
	ErrNoKey = errors.New("no key to sign contact tokens")
)

// Desk is what tokens are bound to.
type Desk struct{ Namespace, Name string }

// Issue makes a token for a contact that is valid from now on.
func Issue(keys Keys, desk Desk, contact, channel, name string, now time.Time) (string, error) {
	return Sign(keys, desk, Claims{Contact: contact, Channel: channel, Name: name}, now)
}

// Sign makes a token of claims, valid from now on; their times are set here.
func Sign(keys Keys, desk Desk, of Claims, now time.Time) (string, error) {
	if len(keys.Current) != KeySize {
		return "", ErrNoKey
	}
	if !conversation.IsToken(of.Contact) || !conversation.IsToken(of.Channel) {
		return "", fmt.Errorf("issue a contact token: contact %q or channel %q is no token of A-Z, a-z, 0-9, _ and -", of.Contact, of.Channel)
	}
	if err := of.Attributes.Validate(); err != nil {
		return "", fmt.Errorf("issue a contact token: %w", err)
	}
	of.Issued, of.Expires = now.Unix(), now.Add(Validity).Unix()
	claims, err := json.Marshal(of)
	if err != nil {
		return "", fmt.Errorf("issue a contact token: %w", err)
	}
	signed := prefix + base64.RawURLEncoding.EncodeToString(claims)
	token := signed + "." + base64.RawURLEncoding.EncodeToString(mac(keys.Current, desk, signed))
	if len(token) > MaxBytes {
		return "", fmt.Errorf("issue a contact token: it has %d bytes, the limit is %d: use a shorter name, or fewer attributes", len(token), MaxBytes)
	}
	return token, nil
}

// Verify reads a token. It accepts the former key and the next one too, so that a new key signs nobody off. Errors are
// ErrInvalid, ErrExpired and ErrNoKey; they never hold the token.
func Verify(keys Keys, desk Desk, channel, token string, now time.Time) (Claims, error) {
	if len(keys.Current) != KeySize {
		return Claims{}, ErrNoKey
	}
	if len(token) > MaxBytes || !strings.HasPrefix(token, prefix) {
		return Claims{}, ErrInvalid
	}
	dot := strings.LastIndexByte(token, '.')
	signed, encoded := token[:dot], token[dot+1:]
	sum, err := decode64(encoded)
	if err != nil || !signedBy(keys, desk, signed, sum) {
		return Claims{}, ErrInvalid
	}
	return read(signed, channel, now)
}

// read takes the claims out of what was found to be signed.
func read(signed, channel string, now time.Time) (Claims, error) {
	if len(signed) < len(prefix) {
		return Claims{}, ErrInvalid
	}
	raw, err := decode64(signed[len(prefix):])
	if err != nil {
		return Claims{}, ErrInvalid
	}
	var c Claims
	if json.Unmarshal(raw, &c) != nil || !conversation.IsToken(c.Contact) || c.Channel != channel || c.Attributes.Validate() != nil {
		return Claims{}, ErrInvalid
	}
	if now.Unix() >= c.Expires {
		return Claims{}, ErrExpired
	}
	if time.Unix(c.Issued, 0).After(now.Add(skew)) {
		return Claims{}, ErrInvalid
	}
	return c, nil
}

// decode64 refuses what does not encode to the same text again: the unused bits of the last character
// would otherwise give one token several spellings, and so would line ends, which the decoder skips.
func decode64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, ErrInvalid
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}

func signedBy(keys Keys, desk Desk, signed string, sum []byte) bool {
	for _, key := range [][]byte{keys.Current, keys.Next, keys.Previous} {
		if len(key) == KeySize && hmac.Equal(sum, mac(key, desk, signed)) {
			return true
		}
	}
	return false
}

func mac(key []byte, desk Desk, signed string) []byte {
	h := hmac.New(sha256.New, key)
	// A hash takes everything it is given.
	h.Write([]byte(domain + desk.Namespace + "/" + desk.Name + "\x00" + signed))
	return h.Sum(nil)
}

// Age of a token.
func (c Claims) Age(now time.Time) time.Duration { return now.Sub(time.Unix(c.Issued, 0)) }
