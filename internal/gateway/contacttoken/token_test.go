package contacttoken

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/conversation"
)

var (
	desk  = Desk{Namespace: "shop", Name: "web.chat"}
	keys  = Keys{Current: bytes.Repeat([]byte{1}, KeySize), Previous: bytes.Repeat([]byte{2}, KeySize)}
	start = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
)

func issue(t testing.TB, keys Keys) string {
	t.Helper()
	token, err := Issue(keys, desk, "c-17", "web", "李薇", start)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestRoundTrip(t *testing.T) {
	c, err := Verify(keys, desk, "web", issue(t, keys), start.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	if c.Contact != "c-17" || c.Channel != "web" || c.Name != "李薇" || c.Age(start.Add(time.Hour)) != time.Hour {
		t.Errorf("claims are %+v", c)
	}
}

// Attributes are the word of whoever signed; what is beyond the bounds is neither signed nor believed.
func TestAttributesAreSigned(t *testing.T) {
	of := Claims{Contact: "c-17", Channel: "web", Attributes: conversation.Attributes{conversation.AttributeTier: "gold"}}
	token, err := Sign(keys, desk, of, start)
	if err != nil {
		t.Fatal(err)
	}
	if c, err := Verify(keys, desk, "web", token, start); err != nil || c.Attributes.Tier() != "gold" {
		t.Errorf("claims are %+v, %v", c, err)
	}
	of.Attributes = conversation.Attributes{"tier": strings.Repeat("x", conversation.MaxAttributeBytes+1)}
	if _, err := Sign(keys, desk, of, start); err == nil || !strings.Contains(err.Error(), "attributes.tier") {
		t.Errorf("a long value is signed: %v", err)
	}
	signed := prefix + base64.RawURLEncoding.EncodeToString([]byte(`{"c":"c-17","h":"web","a":{"tier":""},"i":1795161600,"e":1997753600}`))
	forged := signed + "." + base64.RawURLEncoding.EncodeToString(mac(keys.Current, desk, signed))
	if _, err := Verify(keys, desk, "web", forged, start); !errors.Is(err, ErrInvalid) {
		t.Errorf("an empty value is believed: %v", err)
	}
}

func TestVerifyRefuses(t *testing.T) {
	token := issue(t, keys)
	other := Keys{Current: bytes.Repeat([]byte{9}, KeySize)}
	for _, tc := range []struct {
		name    string
		keys    Keys
		desk    Desk
		channel string
		token   string
		at      time.Time
		want    error
	}{
		{"other key", other, desk, "web", token, start, ErrInvalid},
		{"other desk", keys, Desk{"shop", "other"}, "web", token, start, ErrInvalid},
		{"namespace and name shifted", keys, Desk{"shop/web", "chat"}, "web", token, start, ErrInvalid},
		{"other channel", keys, desk, "mail", token, start, ErrInvalid},
		{"expired", keys, desk, "web", token, start.Add(Validity), ErrExpired},
		{"last second", keys, desk, "web", token, start.Add(Validity - time.Second), nil},
		{"from the future", keys, desk, "web", token, start.Add(-time.Hour), ErrInvalid},
		{"small clock difference", keys, desk, "web", token, start.Add(-time.Minute), nil},
		{"no key", Keys{}, desk, "web", token, start, ErrNoKey},
		{"short key", Keys{Current: []byte("short")}, desk, "web", token, start, ErrNoKey},
		{"empty", keys, desk, "web", "", start, ErrInvalid},
		{"line end in the claims", keys, desk, "web", token[:9] + "\n" + token[9:], start, ErrInvalid},
		{"line end in the mac", keys, desk, "web", token + "\r\n", start, ErrInvalid},
		{"prefix only", keys, desk, "web", prefix, start, ErrInvalid},
		{"no mac", keys, desk, "web", token[:strings.LastIndex(token, ".")], start, ErrInvalid},
		{"too long", keys, desk, "web", token + strings.Repeat("A", MaxBytes), start, ErrInvalid},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if _, err := Verify(tc.keys, tc.desk, tc.channel, tc.token, tc.at); !errors.Is(err, tc.want) {
				t.Errorf("error is %v, want %v", err, tc.want)
			}
		})
	}
}

// TestEveryChangeIsRefused: no other spelling of a token is accepted, and none with another meaning.
func TestEveryChangeIsRefused(t *testing.T) {
	token := issue(t, keys)
	rapid.Check(t, func(t *rapid.T) {
		at := rapid.IntRange(0, len(token)-1).Draw(t, "at")
		with := rapid.Byte().Draw(t, "with")
		changed := []byte(token)
		switch rapid.IntRange(0, 2).Draw(t, "how") {
		case 0:
			changed[at] = with
		case 1:
			changed = append(changed[:at], changed[at+1:]...)
		case 2:
			changed = append(changed[:at], append([]byte{with}, token[at:]...)...)
		}
		if string(changed) == token {
			return
		}
		if _, err := Verify(keys, desk, "web", string(changed), start); err == nil {
			t.Fatalf("accepted %q instead of %q", changed, token)
		}
	})
}

func TestForgedClaimsAreRefused(t *testing.T) {
	token := issue(t, keys)
	parts := strings.Split(token, ".")
	forged := base64.RawURLEncoding.EncodeToString([]byte(`{"c":"c-18","h":"web","i":1,"e":99999999999}`))
	if _, err := Verify(keys, desk, "web", parts[0]+"."+forged+"."+parts[2], start); !errors.Is(err, ErrInvalid) {
		t.Errorf("error is %v", err)
	}
}

func TestIssueRefusesBadIDs(t *testing.T) {
	for _, contact := range []string{"", "a.b", "a b", strings.Repeat("a", 65)} {
		if _, err := Issue(keys, desk, contact, "web", "", start); err == nil {
			t.Errorf("contact %q got a token", contact)
		}
	}
	if _, err := Issue(keys, desk, "c", "web", strings.Repeat("n", MaxBytes), start); err == nil {
		t.Error("a name of 1 KiB got a token")
	}
}

func FuzzVerify(f *testing.F) {
	f.Add(issue(f, keys))
	f.Add("dft1..")
	f.Add("dft1.e30.AAAA")
	f.Fuzz(func(t *testing.T, token string) {
		c, err := Verify(keys, desk, "web", token, start)
		if err == nil && (c.Contact != "c-17" || c.Name != "李薇") {
			t.Errorf("a token that was never issued is accepted: %q", token)
		}
	})
}

func TestFolder(t *testing.T) {
	dir := t.TempDir()
	f := NewFolder(dir, time.Second)
	if _, err := f.Keys(start); err == nil || !strings.Contains(err.Error(), FileCurrent) {
		t.Fatalf("a missing key gives %v", err)
	}
	write := func(name string, data []byte) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(FileCurrent, keys.Previous)
	if _, err := f.Keys(start); err == nil {
		t.Error("the folder was read again at once")
	}
	got, err := f.Keys(start.Add(time.Second))
	if err != nil || !bytes.Equal(got.Current, keys.Previous) {
		t.Fatalf("keys are %v, %v", got, err)
	}
	old := issue(t, got)

	// Rotation: the former key stays accepted, the new one signs.
	write(FilePrevious, keys.Previous)
	write(FileCurrent, keys.Current)
	got, err = f.Keys(start.Add(2 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	for _, token := range []string{old, issue(t, got)} {
		if _, err := Verify(got, desk, "web", token, start); err != nil {
			t.Errorf("a token is refused during the rotation: %v", err)
		}
	}

	// A mistake is reported and changes nothing.
	write(FileCurrent, []byte("too short"))
	kept, err := f.Keys(start.Add(3 * time.Second))
	if err == nil || !strings.Contains(err.Error(), "9 bytes") || strings.Contains(err.Error(), "too short") {
		t.Errorf("error is %v", err)
	}
	if !bytes.Equal(kept.Current, keys.Current) {
		t.Error("the last good keys are gone")
	}

	// After the rotation the old token is refused.
	write(FileCurrent, keys.Current)
	if err := os.Remove(filepath.Join(dir, FilePrevious)); err != nil {
		t.Fatal(err)
	}
	got, err = f.Keys(start.Add(4 * time.Second))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Verify(got, desk, "web", old, start); !errors.Is(err, ErrInvalid) {
		t.Errorf("the token of a withdrawn key gives %v", err)
	}
	write(FileCurrent, make([]byte, KeySize))
	if _, err := f.Keys(start.Add(5 * time.Second)); err == nil || !strings.Contains(err.Error(), "zeros") {
		t.Errorf("a key of zeros gives %v", err)
	}
}
