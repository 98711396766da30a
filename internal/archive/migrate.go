package archive

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

//go:embed migrations
var migrationFiles embed.FS

// ErrNewerSchema says that a newer release has changed the database.
var ErrNewerSchema = errors.New("the archive was changed by a newer release")

// migration is one numbered step of the schema.
type migration struct {
	number int
	name   string
	sql    string
}

// migrationsFor reads the steps of an engine in order. They are numbered from 1 without a gap.
func migrationsFor(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	steps := make([]migration, 0, len(names))
	for i, name := range names {
		prefix, _, _ := strings.Cut(name, "_")
		number, err := strconv.Atoi(prefix)
		if err != nil || number != i+1 {
			return nil, fmt.Errorf("migration %s must begin with %04d_", name, i+1)
		}
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		steps = append(steps, migration{number: number, name: name, sql: string(text)})
	}
	return steps, nil
}

// migrate runs the steps that the database lacks, each in a transaction of its own, so that one that fails
// leaves the schema of the step before.
func migrate(ctx context.Context, db *sql.DB, e engine) error {
	steps, err := migrationsFor(e.migrations)
	if err != nil {
		return err
	}
	for {
		done, err := migrateOne(ctx, db, e, steps)
		if err != nil {
			return fmt.Errorf("bring the archive's schema up to date: %w", err)
		}
		if done {
			return nil
		}
	}
}

func migrateOne(ctx context.Context, db *sql.DB, e engine, steps []migration) (done bool, err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return false, err
	}
	defer func() { _ = tx.Rollback() }() // does nothing after the commit
	if e.lock != "" {
		if _, err := tx.ExecContext(ctx, e.lock); err != nil {
			return false, err
		}
	}
	if _, err := tx.ExecContext(ctx, `CREATE TABLE IF NOT EXISTS migrations (number BIGINT PRIMARY KEY, name TEXT NOT NULL)`); err != nil {
		return false, err
	}
	var have int
	if err := tx.QueryRowContext(ctx, `SELECT COALESCE(MAX(number), 0) FROM migrations`).Scan(&have); err != nil {
		return false, err
	}
	if have > len(steps) {
		return false, fmt.Errorf("%w: its schema has step %d, this release knows %d: run that release again, or restore a backup",
			ErrNewerSchema, have, len(steps))
	}
	if have == len(steps) {
		return true, tx.Commit()
	}
	step := steps[have]
	if _, err := tx.ExecContext(ctx, step.sql); err != nil {
		return false, fmt.Errorf("%s: %w", step.name, err)
	}
	if _, err := tx.ExecContext(ctx, `INSERT INTO migrations (number, name) VALUES ($1, $2)`, step.number, step.name); err != nil {
		return false, fmt.Errorf("%s: %w", step.name, err)
	}
	return false, tx.Commit()
}
