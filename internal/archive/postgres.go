package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/deskfleet/deskfleet/internal/bus"
)

// postgresConns bounds the connections of one archive: a shared server has few for all its users.
const postgresConns = 6

// OpenPostgres opens the archive of a desk in a PostgreSQL database or schema of its own. The DSN is a secret:
// it stands in no error.
func OpenPostgres(ctx context.Context, dsn string, subjects bus.Subjects, logger *slog.Logger) (*DB, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// The library's error repeats parts of the DSN.
		return nil, errors.New("the DSN of the archive's PostgreSQL cannot be read: write postgres://USER:PASSWORD@HOST:PORT/DATABASE")
	}
	config.RuntimeParams["application_name"] = "deskfleet-archive"
	migrations, err := fs.Sub(migrationFiles, "migrations/postgres")
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*config)
	db.SetMaxOpenConns(postgresConns)
	db.SetMaxIdleConns(2)
	d := &DB{subjects: subjects, write: db, read: db, engine: engine{
		name: "postgresql", migrations: migrations,
		// Any number will do, as long as all releases use the same; it is scoped to the database.
		lock: `SELECT pg_advisory_xact_lock(736284659)`,
		// A server that acknowledges before it has written would let the log forget what then gets lost. For
		// this transaction only: behind a pooler the connection is not ours alone.
		durable:  `SET LOCAL synchronous_commit = on`,
		contains: postgresContains,
		// ILIKE uses the index of trigrams by itself.
		matches:  func(_ int, words []string) found { return found{rest: words} },
		snapshot: &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true},
		space:    postgresSpace,
	}}
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("archive in PostgreSQL database %s on %s: %w", config.Database, config.Host, err), d.Close())
	}
	if err := indexText(ctx, db); err != nil {
		logger.Warn("archive searches without an index: let the database's owner run CREATE EXTENSION pg_trgm", "error", err)
	}
	return d, nil
}

// indexText makes searches fast where the extension exists or may be made; they work without.
func indexText(ctx context.Context, db *sql.DB) error {
	if _, err := db.ExecContext(ctx, `CREATE EXTENSION IF NOT EXISTS pg_trgm`); err != nil {
		return err
	}
	// It may lie in another desk's schema, outside the search path.
	var schema string
	err := db.QueryRowContext(ctx, `SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
		WHERE e.extname = 'pg_trgm'`).Scan(&schema)
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `CREATE INDEX IF NOT EXISTS messages_by_text ON messages USING gin (text `+
		pgx.Identifier{schema, "gin_trgm_ops"}.Sanitize()+`)`)
	return err
}

func postgresContains(n int, word string) (string, any) {
	return fmt.Sprintf(`m.text ILIKE $%d ESCAPE '\'`, n), "%" + escapeLike(word) + "%"
}

func postgresSpace(ctx context.Context, db *sql.DB) (Space, error) {
	var s Space
	// Of the tables here, not of the whole database: other schemas of it may be other desks'.
	err := db.QueryRowContext(ctx, `SELECT COALESCE(SUM(pg_total_relation_size(c.oid)), 0)::bigint
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE n.nspname = current_schema() AND c.relkind = 'r'`).Scan(&s.Bytes)
	return s, err
}
