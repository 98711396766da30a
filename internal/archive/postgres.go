package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/deskfleet/deskfleet/internal/bus"
)

// Bounds of the connections.
const (
	// postgresConns of one archive: a shared server has few for all its users.
	postgresConns = 6
	// postgresConnLife after which a connection is made anew, with the name and password of then.
	postgresConnLife = 30 * time.Minute
	// postgresConnect bounds the making of one: a server that is gone must show before a person wonders.
	postgresConnect = 10 * time.Second
	// postgresLock is any number, as long as all releases use the same; it is scoped to the database.
	postgresLock = `SELECT pg_advisory_xact_lock(736284659)`
)

// OpenPostgres opens the archive of a desk in a PostgreSQL database or schema of its own. The DSN is a secret:
// it stands in no error.
func OpenPostgres(ctx context.Context, dsn string, subjects bus.Subjects, logger *slog.Logger) (*DB, error) {
	return openPostgres(ctx, dsn, func() (*pgx.ConnConfig, error) { return parseDSN(dsn) }, subjects, logger)
}

// openPostgres asks fresh for name and password before each connection. What was known before stays when it fails.
func openPostgres(ctx context.Context, dsn string, fresh func() (*pgx.ConnConfig, error), subjects bus.Subjects, logger *slog.Logger) (*DB, error) {
	config, err := parseDSN(dsn)
	if err != nil {
		return nil, err
	}
	config.RuntimeParams["application_name"] = "deskfleet-archive"
	config.ConnectTimeout = min(config.ConnectTimeout, postgresConnect)
	migrations, err := fs.Sub(migrationFiles, "migrations/postgres")
	if err != nil {
		return nil, err
	}
	db := stdlib.OpenDB(*config, stdlib.OptionBeforeConnect(func(ctx context.Context, c *pgx.ConnConfig) error {
		now, err := fresh()
		if err != nil {
			logger.WarnContext(ctx, "archive goes on with the name and password of before", "error", err)
			return nil
		}
		c.User, c.Password = now.User, now.Password
		return nil
	}))
	db.SetConnMaxLifetime(postgresConnLife)
	db.SetMaxOpenConns(postgresConns)
	db.SetMaxIdleConns(2)
	d := &DB{subjects: subjects, write: db, read: db, engine: engine{
		name: "postgresql", migrations: migrations,
		lock: postgresLock,
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
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	// Neither statement waits for another session that does the same: one of the two would fail.
	if _, err := tx.ExecContext(ctx, postgresLock); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `CREATE EXTENSION IF NOT EXISTS pg_trgm`); err != nil {
		return err
	}
	// It may lie in another desk's schema, outside the search path.
	var schema string
	err = tx.QueryRowContext(ctx, `SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
		WHERE e.extname = 'pg_trgm'`).Scan(&schema)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `CREATE INDEX IF NOT EXISTS messages_by_text ON messages USING gin (text `+
		pgx.Identifier{schema, "gin_trgm_ops"}.Sanitize()+`)`)
	if err != nil {
		return err
	}
	return tx.Commit()
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
