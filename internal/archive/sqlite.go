package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"modernc.org/sqlite"

	"github.com/deskfleet/deskfleet/internal/bus"
)

// Bounds of SQLite's connections. Their memory is not seen by Go's memory limit.
const (
	sqliteReaders    = 4
	sqliteCacheKiB   = 4096
	sqliteJournalMax = 64 << 20
	// sqliteShrinkPages given back at a time, so that a write never waits long for it.
	sqliteShrinkPages = 2000
)

// OpenSQLite opens or makes the archive of a desk in one file. One process at a time may write to it.
func OpenSQLite(ctx context.Context, file string, subjects bus.Subjects) (*DB, error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return nil, fmt.Errorf("archive %s: %w: give the role a folder that it may write to", file, err)
	}
	migrations, err := fs.Sub(migrationFiles, "migrations/sqlite")
	if err != nil {
		return nil, err
	}
	d := &DB{subjects: subjects, engine: engine{
		name: "sqlite", migrations: migrations,
		contains: sqliteContains, matches: sqliteMatches,
		space:  func(context.Context, *sql.DB) (Space, error) { return sqliteSpace(file) },
		shrink: sqliteShrink,
	}}
	if d.write, err = sqliteConnect(file, false); err != nil {
		return nil, fmt.Errorf("archive %s: %w", file, err)
	}
	// A second writer would only wait for the first one.
	d.write.SetMaxOpenConns(1)
	if d.read, err = sqliteConnect(file, true); err != nil {
		return nil, errors.Join(fmt.Errorf("archive %s: %w", file, err), d.write.Close())
	}
	d.read.SetMaxOpenConns(sqliteReaders)
	if err := d.openFree(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("archive %s: %w", file, err), d.Close())
	}
	return d, nil
}

// busyFor is how long a file is waited for that somebody else opens at the same time: SQLite itself does not wait
// when it makes a new file one with a write-ahead log.
const busyFor = 10 * time.Second

// openFree opens as soon as nobody else does.
func (d *DB) openFree(ctx context.Context) error {
	for began := time.Now(); ; {
		err := d.open(ctx)
		failed, ok := errors.AsType[*sqlite.Error](err)
		if !ok || failed.Code()&0xff != sqliteBusy || time.Since(began) > busyFor || !pauseFor(ctx, 20*time.Millisecond) {
			return err
		}
	}
}

// sqliteBusy is the primary code of SQLITE_BUSY and its variants.
const sqliteBusy = 5

func sqliteConnect(file string, readOnly bool) (*sql.DB, error) {
	absolute, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	query := url.Values{
		"_busy_timeout": {"10000"},
		"_auto_vacuum":  {"INCREMENTAL"},
		"_journal_mode": {"WAL"},
		// Every commit is on the disk before the log may forget what it holds.
		"_synchronous": {"FULL"},
		"_txlock":      {"immediate"},
		"_dqs":         {"0"},
		"_defensive":   {"1"},
		"_pragma": {
			fmt.Sprintf("cache_size(-%d)", sqliteCacheKiB),
			fmt.Sprintf("journal_size_limit(%d)", sqliteJournalMax),
			// The pod's file system is read-only but for the volume: there is no place for temporary files.
			"temp_store(MEMORY)",
			// Without it a REPLACE would delete audit records past the trigger that protects them.
			"recursive_triggers(1)",
		},
	}
	if readOnly {
		query.Set("_query_only", "1")
		query.Set("_txlock", "deferred")
	}
	dsn := url.URL{Scheme: "file", Path: absolute, RawQuery: query.Encode()}
	connector, err := sqlite.NewConnector(dsn.String())
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

// sqliteMatches finds words of three characters and more by their trigrams. The index gives them in order of
// their key, so that a search for a common word reads one page and not all.
func sqliteMatches(n int, words []string) found {
	f := found{from: "message_text CROSS JOIN messages m ON m.id = message_text.rowid", key: "message_text.rowid"}
	var quoted []string
	for _, w := range words {
		if utf8.RuneCountInString(w) < 3 {
			f.rest = append(f.rest, w)
		} else {
			quoted = append(quoted, `"`+strings.ReplaceAll(w, `"`, `""`)+`"`)
		}
	}
	if len(quoted) > 0 {
		f.condition, f.value = fmt.Sprintf("message_text MATCH $%d", n), strings.Join(quoted, " AND ")
	}
	return f
}

func sqliteContains(n int, word string) (string, any) {
	return fmt.Sprintf(`m.text LIKE $%d ESCAPE '\'`, n), "%" + escapeLike(word) + "%"
}

// escapeLike takes their meaning from the wildcards of LIKE.
func escapeLike(s string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(s)
}

func sqliteSpace(file string) (Space, error) {
	s := Space{Dir: filepath.Dir(file)}
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(file + suffix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return Space{}, err
		}
		s.Bytes += info.Size()
	}
	return s, nil
}

// sqliteShrink gives free pages back to the volume.
func sqliteShrink(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, fmt.Sprintf("PRAGMA incremental_vacuum(%d)", sqliteShrinkPages))
	if err != nil {
		return err
	}
	defer func() { _ = rows.Close() }() // its error is that of rows.Err
	// The pragma frees a page for each row that is read.
	for rows.Next() {
	}
	return rows.Err()
}
