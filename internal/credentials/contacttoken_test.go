package credentials_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/internal/credentials"
	"github.com/deskfleet/deskfleet/internal/gateway/contacttoken"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// tokensOnly is the Secret that holds the keys, without what takes long to make.
func tokensOnly() []render.Secret {
	return []render.Secret{{Name: "shop-gateway", Role: runtimeconfig.RoleGateway, ContactTokenKey: true}}
}

// mounted are the keys as a gateway reads them from the mounted Secret.
func mounted(t *testing.T, set credentials.Set) contacttoken.Keys {
	t.Helper()
	dir := t.TempDir()
	for file, value := range set["shop-gateway"] {
		if err := os.WriteFile(filepath.Join(dir, file), value, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := contacttoken.NewFolder(dir, 0).Keys(birth)
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// TestTokensSurviveRotations: whichever gateway issued a token, any other accepts it while it is valid, also one
// that does not have the changed Secret yet; and a key does not sign for ever.
func TestTokensSurviveRotations(t *testing.T) {
	desk := contacttoken.Desk{Namespace: "tenant", Name: "shop"}
	now := birth
	r := ensure(t, tokensOnly(), nil, now)
	var tokens []string
	var issued []time.Time
	signing := map[string]bool{}
	issue := func(keys contacttoken.Keys) {
		t.Helper()
		token, err := contacttoken.Issue(keys, desk, "c-1", "web", "", now)
		if err != nil {
			t.Fatal(err)
		}
		tokens, issued = append(tokens, token), append(issued, now)
		signing[string(keys.Current)] = true
	}
	for now.Before(birth.Add(2 * year)) {
		before := mounted(t, r.Set)
		issue(before)
		now = now.Add(12 * time.Hour)
		if !now.Before(r.RenewAt) {
			now = r.RenewAt
		}
		next := ensure(t, tokensOnly(), clone(r.Set), now)
		after := mounted(t, next.Set)
		issue(before) // by a gateway that is late
		issue(after)
		for i, token := range tokens {
			if now.Sub(issued[i]) >= contacttoken.Validity {
				continue
			}
			for _, keys := range []contacttoken.Keys{before, after} {
				if _, err := contacttoken.Verify(keys, desk, "web", token, now); err != nil {
					t.Fatalf("at %s a token of %s is refused: %v", now, issued[i], err)
				}
			}
		}
		r = next
	}
	if len(signing) < 6 || len(signing) > 10 {
		t.Errorf("%d keys signed in two years", len(signing))
	}
}

// TestKeysOfAnEarlierRelease begin to rotate without signing anybody off.
func TestKeysOfAnEarlierRelease(t *testing.T) {
	old := ensure(t, tokensOnly(), nil, birth)
	delete(old.Set["shop-gateway"], "contact-token.due")
	r := ensure(t, tokensOnly(), clone(old.Set), birth.Add(year/2))
	if !bytes.Equal(r.Set["shop-gateway"]["contact-token.key"], old.Set["shop-gateway"]["contact-token.key"]) {
		t.Error("the key changed at once")
	}
	if again := ensure(t, tokensOnly(), clone(r.Set), birth.Add(year/2)); len(again.Changed) > 0 {
		t.Errorf("%v changed a second time", again.Changed)
	}
	if r.RenewAt.After(birth.Add(year)) {
		t.Errorf("the next step is at %s", r.RenewAt)
	}
}

// TestAKeySignsOnlyAfterItWasAnnounced, whenever the operator runs: it may have been away when a step was due.
func TestAKeySignsOnlyAfterItWasAnnounced(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		now := birth
		set := credentials.Set{}
		announced := map[string]time.Time{}
		var current, former []byte
		for range rapid.IntRange(1, 30).Draw(r, "runs") {
			result, err := credentials.Ensure(tokensOnly(), clone(set), now)
			if err != nil {
				r.Fatal(err)
			}
			content := result.Set["shop-gateway"]
			if next := content["contact-token.next.key"]; next != nil && announced[string(next)].IsZero() {
				announced[string(next)] = now
			}
			if key := content["contact-token.key"]; !bytes.Equal(key, current) {
				if at, known := announced[string(key)]; current != nil && (!known || now.Sub(at) < time.Hour) {
					r.Fatalf("a key signs at %s that was announced at %s", now, at)
				}
				former, current = current, key
			}
			if !bytes.Equal(content["contact-token.previous.key"], former) {
				r.Fatal("the former key is not kept")
			}
			set = result.Set
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(120*day)).Draw(r, "pause")))
		}
	})
}
