package webhook

import (
	"encoding/base64"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var now = time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)

func TestCheckAddress(t *testing.T) {
	for address, want := range map[string]struct{ public, private bool }{
		"93.184.216.34":          {true, true},
		"2606:2800:220:1::1":     {true, true},
		"10.0.0.1":               {false, true},
		"172.31.255.255":         {false, true},
		"172.32.0.1":             {true, true},
		"192.168.1.1":            {false, true},
		"127.0.0.1":              {false, true},
		"::1":                    {false, true},
		"fd00::1":                {false, true},
		"100.64.0.1":             {false, true},
		"0.1.2.3":                {false, true},
		"198.18.0.1":             {false, true},
		"255.255.255.255":        {false, true},
		"::ffff:10.0.0.1":        {false, true},
		"::ffff:93.184.216.34":   {true, true},
		"64:ff9b::a00:1":         {false, true},
		"2002:a00:1::":           {false, true},
		"0.0.0.0":                {false, false},
		"::":                     {false, false},
		"169.254.169.254":        {false, false},
		"::ffff:169.254.169.254": {false, false},
		"fe80::1":                {false, false},
		"224.0.0.1":              {false, false},
		"ff02::1":                {false, false},
	} {
		addr := netip.MustParseAddr(address)
		if err := CheckAddress(addr, false); (err == nil) != want.public {
			t.Errorf("%s is refused: %v", address, err)
		}
		if err := CheckAddress(addr, true); (err == nil) != want.private {
			t.Errorf("%s, private ones allowed, is refused: %v", address, err)
		}
	}
}

func TestReadSecrets(t *testing.T) {
	good := "whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 24)))
	for name, tc := range map[string]struct {
		content string
		keys    int
	}{
		"one":        {good + "\n", 1},
		"two":        {good + "\n" + good, 2},
		"empty":      {" \n", 0},
		"too many":   {strings.Repeat(good+" ", 5), 0},
		"no prefix":  {strings.TrimPrefix(good, "whsec_"), 0},
		"no base64":  {"whsec_secret-in-words!", 0},
		"too short":  {"whsec_" + base64.StdEncoding.EncodeToString([]byte("short")), 0},
		"too long":   {"whsec_" + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 65))), 0},
		"other file": {strings.Repeat("x", maxFile+1), 0},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			if err := os.WriteFile(filepath.Join(folder, fileSecret), []byte(tc.content), 0o600); err != nil {
				t.Fatal(err)
			}
			keys, err := ReadSecrets(folder)
			if len(keys) != tc.keys || (err == nil) != (tc.keys > 0) {
				t.Fatalf("%d keys, %v", len(keys), err)
			}
			if err != nil && (!strings.Contains(err.Error(), fileSecret) || strings.Contains(err.Error(), strings.TrimSpace(tc.content)) && strings.TrimSpace(tc.content) != "") {
				t.Errorf("error is %v", err)
			}
		})
	}
	if _, err := ReadSecrets(t.TempDir()); err == nil || !strings.Contains(err.Error(), "secretRef") {
		t.Errorf("without a file: %v", err)
	}
}

func TestRetryAfter(t *testing.T) {
	for raw, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, "999999": mostRetryAfter, "99999999999999": 0,
		now.Add(time.Minute).Format(http.TimeFormat): time.Minute, now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(http.Header{"Retry-After": {raw}}, now); got != want {
			t.Errorf("%q is %s, want %s", raw, got, want)
		}
	}
}

// Pauses grow, spread, keep within their bounds and respect the receiver; an event is given up by one of its bounds.
func TestPolicy(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := Policy{}.complete()
		failures, share := rapid.IntRange(1, 200).Draw(t, "failures"), rapid.Float64Range(0, 1).Draw(t, "share")
		pause := p.backoff(failures, share)
		if pause < p.First*3/4 || pause > p.Most {
			t.Fatalf("pause %s", pause)
		}
		if next := p.backoff(failures+1, share); next < pause {
			t.Fatalf("pause %s after %d failures, then %s", pause, failures, next)
		}
		item := Item{Attempts: failures - 1, QueuedAt: now.Add(-time.Duration(rapid.Int64Range(0, int64(2*p.MaxAge)).Draw(t, "age")))}
		o := outcome{
			status: rapid.SampledFrom([]int{0, 302, 400, 404, 410, 429, 500, 503}).Draw(t, "status"), problem: "no",
			retryAfter: time.Duration(rapid.Int64Range(0, int64(mostRetryAfter)).Draw(t, "retryAfter")),
		}
		o.gone = o.status == http.StatusGone
		v := p.judge(item, o, now, share)
		switch {
		case v.Done:
			t.Fatal("a refused event is done")
		case v.Next.Before(now.Add(o.retryAfter)), v.Next.Before(now.Add(pause)):
			t.Fatalf("next at %s", v.Next)
		case v.Dead != (!o.gone && (failures >= p.MaxAttempts || now.Sub(item.QueuedAt) >= p.MaxAge)):
			t.Fatalf("dead %t after %d attempts and %s", v.Dead, failures, now.Sub(item.QueuedAt))
		}
		if v := p.judge(item, outcome{status: 204}, now, share); !v.Done || v.Dead {
			t.Fatalf("taken: %+v", v)
		}
	})
}
