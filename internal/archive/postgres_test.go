package archive

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
	"github.com/deskfleet/deskfleet/internal/bus"
	"github.com/deskfleet/deskfleet/internal/telemetry"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// together runs f so often at the same time.
func together(t *testing.T, times int, f func() error) {
	t.Helper()
	errs := make([]error, times)
	var begin, end sync.WaitGroup
	begin.Add(times)
	for i := range times {
		end.Go(func() {
			begin.Done()
			begin.Wait()
			errs[i] = f()
		})
	}
	end.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

// Replicas that start at once on an empty schema, on one of an older release, and on one that is up to date.
func TestSchemaOfSeveralAtOnce(t *testing.T) {
	d := newPostgres(t)
	openAndClose := func() error {
		db, err := d.open(t.Context(), testSubjects(t))
		if err != nil {
			return err
		}
		return db.Close()
	}
	together(t, 6, openAndClose)
	steps := func() (n int) {
		db := d.store()
		if err := db.read.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM migrations`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	all := steps()
	together(t, 6, openAndClose)
	if again := steps(); again != all || all == 0 {
		t.Errorf("%d steps, then %d", all, again)
	}
}

// Two archives of one desk, as during a rollout: both are ready, and everything is stored once.
func TestTwoArchives(t *testing.T) {
	d, b, s := newPostgres(t), newBench(t), newScript(t)
	options := func(name string) Options {
		o := b.options()
		o.Name, o.Health, o.OpenEvery = name, telemetry.NewHealth(nil), time.Millisecond
		o.Open = func(ctx context.Context, s bus.Subjects) (Store, error) { return d.open(ctx, s) }
		return o
	}
	first, second := options("archive-0"), options("archive-1")
	b.run(first)
	stop := b.run(second)
	for i := range 20 {
		id, want := s.served(fmt.Sprintf("c-%d", i), "where is my order")
		b.play(s)
		b.waitArchived(id, want)
	}
	for _, o := range []Options{first, second} {
		eventually.True(t, o.Name+" is ready", func() bool { return o.Health.Readiness(t.Context()).Ready })
	}
	stop()
	db := d.store()
	totals, err := db.Totals(t.Context(), 0)
	if err != nil || totals.Conversations != 20 || totals.Messages != 100 {
		t.Errorf("%+v, %v", totals, err)
	}
}

const secretWord = "canary-7f3a"

// A DSN may come later, and may be wrong for a while. It is told in no log, no check, no metric and no status.
func TestDSNComesLater(t *testing.T) {
	d, b := newPostgres(t), newBench(t)
	good := d.dsn
	folder := t.TempDir()
	file := filepath.Join(folder, "dsn")
	var log lockedBuffer
	registry := prometheus.NewPedanticRegistry()
	o := b.options()
	o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	o.Health, o.OpenEvery, o.Registerer = telemetry.NewHealth(nil), time.Millisecond, registry
	o.Open = PostgresFromFile(file, o.Logger)
	b.run(o)
	said := func(words string) {
		t.Helper()
		eventually.True(t, "the check says "+words, func() bool {
			r := o.Health.Readiness(t.Context())
			return !r.Ready && strings.Contains(r.Checks["storing"].Error, words)
		})
	}
	put := func(dsn string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(dsn), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	said("spec.archive.postgres.dsnSecretRef")
	put("\n")
	said("put one DSN")
	put("postgres://desk:" + secretWord + "@%zz:99/x?sslmode=" + secretWord)
	said("cannot be read")
	put("postgres://" + secretWord + ":" + secretWord)
	said("cannot be read")
	put("host=" + folder + " user=desk dbname=postgres password=" + secretWord)
	said("no such file")
	put("host=127.0.0.1 port=1 user=desk dbname=postgres sslmode=disable password='" + secretWord + "'")
	said("refused")
	put(good + " password=" + secretWord + "\n")
	eventually.True(t, "it is ready", func() bool { return o.Health.Readiness(t.Context()).Ready })
	status := b.waitStatus("it stores", func(s *protocol.Status) bool { return s.Problem == "" })
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"the log": log.String(), "the status": fmt.Sprintf("%+v", status), "the metrics": fmt.Sprint(families)} {
		if strings.Contains(text, secretWord) {
			t.Errorf("%s holds a part of the DSN:\n%s", name, text)
		}
	}
	if !strings.Contains(log.String(), "archive will try again") {
		t.Errorf("the log says nothing of it:\n%s", log.String())
	}
}

// A new password is taken by the next connection.
func TestPasswordIsRotated(t *testing.T) {
	newPostgres(t)
	role := fmt.Sprintf("rotated_%d", schemas.Add(1))
	cluster.exec(t, `CREATE ROLE `+role+` LOGIN PASSWORD 'first-word'`)
	cluster.exec(t, `CREATE SCHEMA `+role+` AUTHORIZATION `+role)
	address := cluster.tcp(t)
	dsn := func(password string) string {
		u := url.URL{Scheme: "postgres", User: url.UserPassword(role, password), Host: address, Path: "/postgres", RawQuery: "sslmode=disable&search_path=" + role}
		return u.String()
	}
	file := filepath.Join(t.TempDir(), "dsn")
	put := func(dsn string) {
		t.Helper()
		if err := os.WriteFile(file, []byte(dsn), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put(dsn("first-word"))
	store, err := PostgresFromFile(file, quiet)(t.Context(), testSubjects(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }() // the test is over then
	cluster.exec(t, `ALTER ROLE `+role+` PASSWORD 'second-word'`)
	drop := func() {
		cluster.exec(t, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '`+role+`'`)
	}
	drop()
	eventually.True(t, "the old password is refused", func() bool {
		_, err := store.Position(t.Context())
		if err != nil && strings.Contains(err.Error(), "-word") {
			t.Error(err)
		}
		return err != nil && strings.Contains(err.Error(), "password authentication failed")
	})
	put(dsn("second-word"))
	if _, err := store.Position(t.Context()); err != nil {
		t.Errorf("with the new password: %v", err)
	}
	// The Secret is gone for a moment, as while it is replaced.
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	drop()
	put(dsn("second-word"))
	eventually.True(t, "it goes on", func() bool { _, err := store.Position(t.Context()); return err == nil })
}

// tcp is an address of the cluster at which passwords are asked for.
func (c *postgresCluster) tcp(t *testing.T) string {
	t.Helper()
	db, err := sql.Open("pgx", c.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // its answers are what counts
	var port string
	if err := db.QueryRowContext(t.Context(), `SHOW port`).Scan(&port); err != nil {
		t.Fatal(err)
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// A database that another release or another desk uses is refused, and the archive says so without an end.
func TestForeignDatabaseIsShown(t *testing.T) {
	d, b := newPostgres(t), newBench(t)
	other, err := bus.NewSubjects("shop", "other")
	if err != nil {
		t.Fatal(err)
	}
	db, err := d.open(t.Context(), other)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "dsn")
	if err := os.WriteFile(file, []byte(d.dsn), 0o600); err != nil {
		t.Fatal(err)
	}
	o := b.options()
	o.Health, o.OpenEvery, o.Open = telemetry.NewHealth(nil), time.Millisecond, PostgresFromFile(file, quiet)
	b.run(o)
	eventually.True(t, "the check names the desk", func() bool {
		return strings.Contains(o.Health.Readiness(t.Context()).Checks["storing"].Error, "shop/other")
	})
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
