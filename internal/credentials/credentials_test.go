package credentials_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nkeys"
	"pgregory.net/rapid"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/credentials"
	"github.com/deskfleet/deskfleet/internal/render"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

const (
	day  = 24 * time.Hour
	year = 365 * day
)

var birth = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// wanted are the Secrets of a desk.
func wanted(profile v1alpha1.Profile, external bool) []render.Secret {
	spec := &v1alpha1.ServiceDeskSpec{Profile: profile, Bus: &v1alpha1.BusRole{}}
	if external {
		spec.Bus.External = &v1alpha1.ExternalBus{}
	}
	return render.SecretsOf("tenant", "shop", spec)
}

func distributed() []render.Secret { return wanted(v1alpha1.ProfileDistributed, false) }

// withoutTokens leaves the certificates as all that is renewed.
func withoutTokens() []render.Secret {
	secrets := distributed()
	for i := range secrets {
		secrets[i].ContactTokenKey = false
	}
	return secrets
}

func ensure(t *testing.T, secrets []render.Secret, existing credentials.Set, now time.Time) *credentials.Result {
	t.Helper()
	r, err := credentials.Ensure(secrets, existing, now)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// clone copies a set, as the cache gives each reader a copy.
func clone(set credentials.Set) credentials.Set {
	copied := credentials.Set{}
	for name, content := range set {
		copied[name] = map[string][]byte{}
		for file, value := range content {
			copied[name][file] = bytes.Clone(value)
		}
	}
	return copied
}

// handshake connects a client that trusts one Secret's bundle to the bus of another's certificate.
func handshake(t *testing.T, client, server map[string][]byte, name string, now time.Time) error {
	t.Helper()
	pair, err := tls.X509KeyPair(server["tls.crt"], server["tls.key"])
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(client["ca.crt"]) {
		t.Fatal("the bundle holds no certificate")
	}
	_, err = pair.Leaf.Verify(x509.VerifyOptions{Roots: roots, DNSName: name, CurrentTime: now})
	return err
}

func TestEverythingIsMade(t *testing.T) {
	for _, row := range []struct {
		name     string
		profile  v1alpha1.Profile
		external bool
		files    map[string]string
		users    int
	}{
		{name: "distributed", profile: v1alpha1.ProfileDistributed, users: 6, files: map[string]string{
			"shop-ca": "ca.crt ca.key", "shop-bus": "ca.crt tls.crt tls.key", "shop-gateway": "ca.crt contact-token.due contact-token.key nkey.seed",
			"shop-router": "ca.crt nkey.seed", "shop-bot": "ca.crt nkey.seed", "shop-console": "ca.crt nkey.seed",
			"shop-knowledge": "ca.crt nkey.seed", "shop-archive": "ca.crt nkey.seed",
		}},
		{name: "compact", profile: v1alpha1.ProfileCompact, users: 1, files: map[string]string{
			"shop-ca": "ca.crt ca.key", "shop-desk": "ca.crt contact-token.due contact-token.key tls.crt tls.key", "shop-bot": "ca.crt nkey.seed",
		}},
		{name: "external bus", profile: v1alpha1.ProfileDistributed, external: true, files: map[string]string{"shop-gateway": "contact-token.due contact-token.key"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			secrets := wanted(row.profile, row.external)
			r := ensure(t, secrets, nil, birth)
			files := map[string]string{}
			for name, content := range r.Set {
				files[name] = strings.Join(slices.Sorted(maps.Keys(content)), " ")
			}
			if diff := cmp.Diff(row.files, files); diff != "" {
				t.Errorf("files (-expected +got):\n%s", diff)
			}
			if len(r.Changed) != len(row.files) || len(r.Users) != row.users {
				t.Errorf("changed %v, users %v", r.Changed, r.Users)
			}
			if !r.RenewAt.After(birth) {
				t.Errorf("renewal at %s", r.RenewAt)
			}
			for name, content := range r.Set {
				if _, leaked := content["ca.key"]; leaked && name != "shop-ca" {
					t.Errorf("Secret %s, which a pod mounts, holds the key of the authority", name)
				}
			}
			again := ensure(t, secrets, clone(r.Set), birth.Add(time.Hour))
			if len(again.Changed) > 0 {
				t.Errorf("a moment later %v changed", again.Changed)
			}
			if diff := cmp.Diff(r.Users, again.Users); diff != "" {
				t.Errorf("users:\n%s", diff)
			}
		})
	}
}

// TestUsersAreThePublicHalves of the seeds, one a role, each another one.
func TestUsersAreThePublicHalves(t *testing.T) {
	r := ensure(t, distributed(), nil, birth)
	seen := map[string]bool{}
	var roles []runtimeconfig.Role
	for _, user := range r.Users {
		roles = append(roles, user.Role)
		pair, err := nkeys.FromSeed(r.Set["shop-"+string(user.Role)]["nkey.seed"])
		if err != nil {
			t.Fatal(err)
		}
		if public, err := pair.PublicKey(); err != nil || public != user.PublicKey || seen[public] || !nkeys.IsValidPublicUserKey(public) {
			t.Errorf("role %s: %s is not the public half (%v)", user.Role, user.PublicKey, err)
		}
		seen[user.PublicKey] = true
	}
	if diff := cmp.Diff(runtimeconfig.ClientRoles(), roles); diff != "" {
		t.Errorf("roles (-expected +got):\n%s", diff)
	}
}

func TestTheBusIsReached(t *testing.T) {
	r := ensure(t, distributed(), nil, birth)
	for _, name := range []string{"shop-bus", "shop-bus.tenant", "shop-bus.tenant.svc", "shop-bus-2.shop-bus.tenant.svc", "localhost"} {
		if err := handshake(t, r.Set["shop-router"], r.Set["shop-bus"], name, birth); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range []string{"shop-bus.other.svc", "other-bus.tenant.svc", "example.com"} {
		if err := handshake(t, r.Set["shop-router"], r.Set["shop-bus"], name, birth); err == nil {
			t.Errorf("the certificate is good for %s", name)
		}
	}
	// Clocks of nodes may be behind.
	if err := handshake(t, r.Set["shop-router"], r.Set["shop-bus"], "shop-bus", birth.Add(-50*time.Minute)); err != nil {
		t.Error(err)
	}
	// Another desk's authority is another one.
	if other := ensure(t, distributed(), nil, birth); handshake(t, other.Set["shop-router"], r.Set["shop-bus"], "shop-bus", birth) == nil {
		t.Error("a desk trusts the bus of another one")
	}
}

// TestOnlyWhatIsMissingIsMade, and only what is damaged is made anew, whatever it is.
func TestOnlyWhatIsMissingIsMade(t *testing.T) {
	good := ensure(t, distributed(), nil, birth)
	account, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	accountSeed, err := account.Seed()
	if err != nil {
		t.Fatal(err)
	}
	foreign := ensure(t, distributed(), nil, birth)
	type files = map[string][]string
	for _, row := range []struct {
		name   string
		damage func(credentials.Set)
		// changed are the files that may differ afterwards, by Secret.
		changed files
	}{
		{"a Secret is gone", func(s credentials.Set) { delete(s, "shop-router") }, files{"shop-router": {"nkey.seed"}}},
		{"a Secret is empty", func(s credentials.Set) { s["shop-router"] = nil }, files{"shop-router": {"nkey.seed"}}},
		{"a seed is gone", func(s credentials.Set) { delete(s["shop-gateway"], "nkey.seed") }, files{"shop-gateway": {"nkey.seed"}}},
		{"a seed is damaged", func(s credentials.Set) { s["shop-gateway"]["nkey.seed"][10] ^= 1 }, files{"shop-gateway": {"nkey.seed"}}},
		{"a seed is of an account", func(s credentials.Set) { s["shop-bot"]["nkey.seed"] = accountSeed }, files{"shop-bot": {"nkey.seed"}}},
		{"a token key was cut short", func(s credentials.Set) { s["shop-gateway"]["contact-token.key"] = []byte("short") }, files{"shop-gateway": {"contact-token.key", "contact-token.due"}}},
		{"a bundle is gone", func(s credentials.Set) { delete(s["shop-console"], "ca.crt") }, files{"shop-console": nil}},
		{"a bundle is a foreign one", func(s credentials.Set) { s["shop-console"]["ca.crt"] = foreign.Set["shop-console"]["ca.crt"] }, files{"shop-console": nil}},
		{"the bus has no key", func(s credentials.Set) { delete(s["shop-bus"], "tls.key") }, files{"shop-bus": {"tls.crt", "tls.key"}}},
		{"the bus has another key", func(s credentials.Set) { s["shop-bus"]["tls.key"] = foreign.Set["shop-bus"]["tls.key"] }, files{"shop-bus": {"tls.crt", "tls.key"}}},
		{"the bus has a foreign certificate", func(s credentials.Set) {
			s["shop-bus"]["tls.key"], s["shop-bus"]["tls.crt"] = foreign.Set["shop-bus"]["tls.key"], foreign.Set["shop-bus"]["tls.crt"]
		}, files{"shop-bus": {"tls.crt", "tls.key"}}},
		{"the certificate is damaged", func(s credentials.Set) { s["shop-bus"]["tls.crt"] = s["shop-bus"]["tls.crt"][:100] }, files{"shop-bus": {"tls.crt", "tls.key"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			existing := clone(good.Set)
			row.damage(existing)
			r := ensure(t, distributed(), existing, birth.Add(day))
			if diff := cmp.Diff(slices.Sorted(maps.Keys(row.changed)), slices.Sorted(slices.Values(r.Changed))); diff != "" {
				t.Errorf("changed Secrets (-expected +got):\n%s", diff)
			}
			for name, content := range good.Set {
				for file, value := range content {
					if same, may := bytes.Equal(value, r.Set[name][file]), slices.Contains(row.changed[name], file); same == may {
						t.Errorf("%s of %s changed: %t, expected %t", file, name, !same, may)
					}
				}
			}
			if err := handshake(t, r.Set["shop-router"], r.Set["shop-bus"], "shop-bus", birth.Add(day)); err != nil {
				t.Error(err)
			}
			if again := ensure(t, distributed(), r.Set, birth.Add(day)); len(again.Changed) > 0 {
				t.Errorf("and then %v changed again", again.Changed)
			}
		})
	}
}

// TestAuthorityIsReplacedWhereItCannotSign: the servers get certificates of the new one, as nobody trusts the old.
func TestAuthorityIsReplacedWhereItCannotSign(t *testing.T) {
	good := ensure(t, distributed(), nil, birth)
	foreign := ensure(t, distributed(), nil, birth)
	for name, damage := range map[string]func(credentials.Set){
		"deleted":      func(s credentials.Set) { delete(s, "shop-ca") },
		"without key":  func(s credentials.Set) { delete(s["shop-ca"], "ca.key") },
		"another key":  func(s credentials.Set) { s["shop-ca"]["ca.key"] = foreign.Set["shop-ca"]["ca.key"] },
		"key damaged":  func(s credentials.Set) { s["shop-ca"]["ca.key"] = []byte("-----BEGIN PRIVATE KEY-----\n") },
		"cert damaged": func(s credentials.Set) { s["shop-ca"]["ca.crt"] = []byte("no certificate") },
	} {
		t.Run(name, func(t *testing.T) {
			existing := clone(good.Set)
			damage(existing)
			r := ensure(t, distributed(), existing, birth.Add(day))
			if !slices.Contains(r.Changed, "shop-ca") {
				t.Error("the authority is as it was")
			}
			for _, role := range runtimeconfig.ClientRoles() {
				client := r.Set["shop-"+string(role)]
				if err := handshake(t, client, r.Set["shop-bus"], "shop-bus", birth.Add(day)); err != nil {
					t.Errorf("%s: %v", role, err)
				}
				if !bytes.Equal(client["nkey.seed"], good.Set["shop-"+string(role)]["nkey.seed"]) {
					t.Errorf("the seed of %s changed: it would be signed off", role)
				}
			}
			if again := ensure(t, distributed(), r.Set, birth.Add(day)); len(again.Changed) > 0 {
				t.Errorf("and then %v changed again", again.Changed)
			}
		})
	}
}

// TestRenewalOverlaps follows a desk through the years: whoever still has the
// files of a moment ago and whoever has the new ones understand each other.
func TestRenewalOverlaps(t *testing.T) {
	now := birth
	r := ensure(t, withoutTokens(), nil, now)
	authorities, certificates := 0, 0
	for now.Before(birth.Add(30 * year)) {
		if r.RenewAt.Before(now) {
			t.Fatalf("at %s the renewal is in the past: %s", now, r.RenewAt)
		}
		if quiet := ensure(t, withoutTokens(), clone(r.Set), r.RenewAt.Add(-time.Minute)); len(quiet.Changed) > 0 {
			t.Fatalf("%v changed before the renewal", quiet.Changed)
		}
		now = r.RenewAt
		next := ensure(t, withoutTokens(), clone(r.Set), now)
		if len(next.Changed) == 0 {
			t.Fatalf("nothing was renewed at %s", now)
		}
		switch {
		case slices.Contains(next.Changed, "shop-ca"):
			authorities++
			if !bytes.Equal(r.Set["shop-bus"]["tls.crt"], next.Set["shop-bus"]["tls.crt"]) {
				t.Error("the server's certificate changed with the authority: clients with the old bundle refuse it")
			}
			if n := bytes.Count(next.Set["shop-ca"]["ca.crt"], []byte("BEGIN CERTIFICATE")); n != 2 {
				t.Errorf("the bundle holds %d authorities, expected the new one and the one before", n)
			}
		default:
			certificates++
			if diff := cmp.Diff([]string{"shop-bus"}, next.Changed); diff != "" {
				t.Errorf("changed (-expected +got):\n%s", diff)
			}
		}
		for _, pair := range [][2]credentials.Set{{r.Set, r.Set}, {r.Set, next.Set}, {next.Set, r.Set}, {next.Set, next.Set}} {
			if err := handshake(t, pair[0]["shop-router"], pair[1]["shop-bus"], "shop-bus", now); err != nil {
				t.Fatalf("at %s: %v", now, err)
			}
		}
		for name := range r.Set {
			if !bytes.Equal(r.Set[name]["nkey.seed"], next.Set[name]["nkey.seed"]) {
				t.Errorf("a key of %s changed at the renewal", name)
			}
		}
		r = next
	}
	if authorities < 4 || certificates < 40 {
		t.Errorf("%d authorities and %d certificates in 30 years", authorities, certificates)
	}
}

// TestRenewalIsTwoThirdsThrough the shortest life.
func TestRenewalIsTwoThirdsThrough(t *testing.T) {
	r := ensure(t, withoutTokens(), nil, birth)
	block, _ := pem.Decode(r.Set["shop-bus"]["tls.crt"])
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	life := c.NotAfter.Sub(c.NotBefore)
	if got := r.RenewAt.Sub(c.NotBefore); got < life*2/3-time.Second || got > life*2/3+time.Second {
		t.Errorf("renewed after %s of %s", got, life)
	}
}

// TestNewNamesNeedANewCertificate, for example when the address of the bus changes with a release.
func TestNewNamesNeedANewCertificate(t *testing.T) {
	good := ensure(t, distributed(), nil, birth)
	secrets := distributed()
	for i := range secrets {
		if len(secrets[i].ServerNames) > 0 {
			secrets[i].ServerNames = append(slices.Clone(secrets[i].ServerNames), "nats.example.com")
		}
	}
	r := ensure(t, secrets, clone(good.Set), birth.Add(day))
	if diff := cmp.Diff([]string{"shop-bus"}, r.Changed); diff != "" {
		t.Errorf("changed (-expected +got):\n%s", diff)
	}
	if err := handshake(t, good.Set["shop-router"], r.Set["shop-bus"], "nats.example.com", birth.Add(day)); err != nil {
		t.Error(err)
	}
}

// TestAnyDamageHeals at once and for good, and never with an error that stops the desk.
func TestAnyDamageHeals(t *testing.T) {
	good := ensure(t, distributed(), nil, birth)
	names := slices.Sorted(maps.Keys(good.Set))
	rapid.Check(t, func(r *rapid.T) {
		existing := clone(good.Set)
		for range rapid.IntRange(1, 4).Draw(r, "damages") {
			content := existing[rapid.SampledFrom(names).Draw(r, "secret")]
			file := rapid.SampledFrom([]string{"ca.crt", "ca.key", "tls.crt", "tls.key", "nkey.seed", "contact-token.key",
				"contact-token.next.key", "contact-token.previous.key", "contact-token.due"}).Draw(r, "file")
			value := content[file]
			switch rapid.IntRange(0, 3).Draw(r, "how") {
			case 0:
				delete(content, file)
			case 1:
				content[file] = rapid.SliceOf(rapid.Byte()).Draw(r, "bytes")
			case 2:
				content[file] = value[:rapid.IntRange(0, len(value)).Draw(r, "length")]
			case 3:
				if len(value) > 0 {
					value[rapid.IntRange(0, len(value)-1).Draw(r, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(r, "bit")
				}
			}
		}
		now := birth.Add(time.Duration(rapid.Int64Range(0, int64(12*year)).Draw(r, "age")))
		healed, err := credentials.Ensure(distributed(), existing, now)
		if err != nil {
			r.Fatal(err)
		}
		again, err := credentials.Ensure(distributed(), clone(healed.Set), now)
		if err != nil {
			r.Fatal(err)
		}
		if len(again.Changed) > 0 {
			r.Fatalf("%v changed a second time", again.Changed)
		}
		for _, role := range runtimeconfig.ClientRoles() {
			if err := handshake(t, healed.Set["shop-"+string(role)], healed.Set["shop-bus"], "shop-bus", now); err != nil {
				r.Fatalf("%s: %v", role, err)
			}
		}
		if len(healed.Users) != len(runtimeconfig.ClientRoles()) {
			r.Fatalf("users %v", healed.Users)
		}
	})
}

// TestErrorsHoldNoSecret: what cannot be read must not be shown either.
func TestErrorsHoldNoSecret(t *testing.T) {
	secrets := []render.Secret{{Name: "shop-bus", Role: runtimeconfig.RoleBus, ServerNames: []string{"shop-bus"}}}
	existing := credentials.Set{"shop-bus": {"tls.key": []byte("canary"), "nkey.seed": []byte("canary")}}
	_, err := credentials.Ensure(secrets, existing, birth)
	if err == nil || !strings.Contains(err.Error(), "Secret shop-bus") || strings.Contains(err.Error(), "canary") {
		t.Errorf("%v", err)
	}
}
