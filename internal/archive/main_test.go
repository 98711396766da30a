package archive

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"

	"github.com/deskfleet/deskfleet/internal/bus"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := cluster.stop(); err != nil {
		fmt.Fprintln(os.Stderr, "stop PostgreSQL:", err)
		code = 1
	}
	if err := goleak.Find(); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

var quiet = slog.New(slog.DiscardHandler)

func testSubjects(t testing.TB) bus.Subjects {
	t.Helper()
	s, err := bus.NewSubjects("shop", "web")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// database is one that a test opens, closes and opens again.
type database struct {
	t    testing.TB
	open func(context.Context, bus.Subjects) (*DB, error)
	// dsn of PostgreSQL.
	dsn string
}

// store opens the database; the test's end closes it.
func (d database) store() *DB {
	d.t.Helper()
	db, err := d.open(d.t.Context(), testSubjects(d.t))
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		if err := db.Close(); err != nil {
			d.t.Error(err)
		}
	})
	return db
}

// onEach runs a test on SQLite, and on PostgreSQL where one is found.
func onEach(t *testing.T, f func(t *testing.T, d database)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, newSQLite(t)) })
	t.Run("postgresql", func(t *testing.T) { f(t, newPostgres(t)) })
}

func newSQLite(t testing.TB) database {
	// A folder whose name would be taken for a query, were it not escaped.
	file := filepath.Join(t.TempDir(), "a?b=%41 #1", "archive.db")
	return database{t: t, open: func(ctx context.Context, s bus.Subjects) (*DB, error) { return OpenSQLite(ctx, file, s) }}
}

var (
	cluster     postgresCluster
	clusterOnce sync.Once
	schemas     atomic.Int64
)

// newPostgres makes a schema of its own in the cluster of the test run.
func newPostgres(t testing.TB) database {
	clusterOnce.Do(func() { cluster.start() })
	if cluster.missing != "" {
		t.Skip(cluster.missing)
	}
	if cluster.err != nil {
		t.Fatal(cluster.err)
	}
	schema := fmt.Sprintf("desk_%d", schemas.Add(1))
	cluster.exec(t, "CREATE SCHEMA "+schema)
	dsn := cluster.dsn + " search_path=" + schema
	return database{t: t, dsn: dsn, open: func(ctx context.Context, s bus.Subjects) (*DB, error) { return OpenPostgres(ctx, dsn, s, quiet) }}
}
