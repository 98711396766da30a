package archive

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/deskfleet/deskfleet/internal/bus"
)

// DB is a Store over database/sql. Both engines run the same statements but for the search of texts.
type DB struct {
	engine engine
	// write is for transactions, of which SQLite runs one at a time; read is for everything else.
	write, read *sql.DB
	subjects    bus.Subjects
}

var _ Store = (*DB)(nil)

// engine is what differs between the databases.
type engine struct {
	name       string
	migrations fs.FS
	// lock keeps another process out while the schema is changed; empty where the transaction does.
	lock string
	// durable makes a transaction be on the disk when its commit returns; empty where it always is.
	durable string
	// contains gives the condition that a message holds the word that parameter n stands for, and the
	// parameter's value.
	contains func(n int, word string) (condition string, value any)
	// matches gives one condition, with parameter n, for all the words that an index finds.
	matches func(n int, words []string) found
	// snapshot makes a transaction that only reads see one state of the database.
	snapshot *sql.TxOptions
	// space that the database takes.
	space func(ctx context.Context, db *sql.DB) (Space, error)
	// shrink gives space back after rows were deleted; nil where the engine does so by itself.
	shrink func(ctx context.Context, db *sql.DB) error
}

// open brings the schema up to date and makes sure that the database is this desk's.
func (d *DB) open(ctx context.Context) error {
	if err := migrate(ctx, d.write, d.engine); err != nil {
		return err
	}
	return d.inTx(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO desk (only_row, namespace, name, generation, log_created, seq)
			VALUES (1, $1, $2, 1, 0, 0) ON CONFLICT DO NOTHING`, d.subjects.Namespace(), d.subjects.Desk())
		if err != nil {
			return err
		}
		var namespace, name string
		err = tx.QueryRowContext(ctx, `SELECT namespace, name FROM desk`).Scan(&namespace, &name)
		if err != nil {
			return err
		}
		if namespace != d.subjects.Namespace() || name != d.subjects.Desk() {
			return fmt.Errorf("%w %s/%s, not of %s/%s: give each desk a database or a schema (search_path) of its own",
				errOtherDesk, namespace, name, d.subjects.Namespace(), d.subjects.Desk())
		}
		return nil
	})
}

var errOtherDesk = errors.New("the database holds the archive of desk")

// Close implements Store.
func (d *DB) Close() error {
	err := d.write.Close()
	if d.read != d.write {
		err = errors.Join(err, d.read.Close())
	}
	return err
}

// inTx runs f in a transaction that writes, and commits it if f returns no error.
func (d *DB) inTx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin a transaction: %w", err)
	}
	if d.engine.durable != "" {
		_, err = tx.ExecContext(ctx, d.engine.durable)
	}
	if err == nil {
		err = f(tx)
	}
	if err != nil {
		// The error of f says what happened; that of the rollback adds nothing to it.
		_ = tx.Rollback()
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	return nil
}

// Space implements Store.
func (d *DB) Space(ctx context.Context) (Space, error) {
	s, err := d.engine.space(ctx, d.read)
	if err != nil {
		return Space{}, fmt.Errorf("measure the database: %w", err)
	}
	s.Engine = d.engine.name
	return s, nil
}

// Position implements Store.
func (d *DB) Position(ctx context.Context) (Position, error) {
	return readPosition(ctx, d.read)
}

type querier interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func readPosition(ctx context.Context, q querier) (Position, error) {
	var p Position
	var created int64
	err := q.QueryRowContext(ctx, `SELECT generation, log_created, seq FROM desk`).Scan(&p.Generation, &created, &p.Seq)
	if err != nil {
		return Position{}, fmt.Errorf("read the archive's position: %w", err)
	}
	p.Created = fromNanos(created)
	return p, nil
}

// movePosition sets the position, if nobody else did.
func movePosition(ctx context.Context, tx *sql.Tx, from, to Position) error {
	res, err := tx.ExecContext(ctx, `UPDATE desk SET generation = $1, log_created = $2, seq = $3
		WHERE generation = $4 AND seq = $5`, to.Generation, nanos(to.Created), to.Seq, from.Generation, from.Seq)
	if err != nil {
		return fmt.Errorf("move the archive's position: %w", err)
	}
	n, err := res.RowsAffected()
	if err != nil {
		return fmt.Errorf("move the archive's position: %w", err)
	}
	if n != 1 {
		return fmt.Errorf("%w: it is no longer at sequence %d of generation %d", ErrMoved, from.Seq, from.Generation)
	}
	return nil
}

// Restart implements Store.
func (d *DB) Restart(ctx context.Context, from Position, created, now time.Time) (Position, error) {
	to := Position{Generation: from.Generation + 1, Created: created}
	err := d.inTx(ctx, func(tx *sql.Tx) error {
		if err := movePosition(ctx, tx, from, to); err != nil {
			return err
		}
		// Nothing will ever end them; without an end they would be kept for ever.
		_, err := tx.ExecContext(ctx, `UPDATE conversations SET status = 'Closed', ended_at = $1 WHERE ended_at IS NULL`, nanos(now))
		if err != nil {
			return fmt.Errorf("end the conversations of the log that is gone: %w", err)
		}
		return d.note(ctx, tx, now, "archive.logReplaced", map[string]any{
			"oldSeq": from.Seq, "oldCreated": from.Created, "newCreated": created, "generation": to.Generation,
		})
	})
	if err != nil {
		return from, err
	}
	return to, nil
}

// nanos is a time as it is stored; the zero time is 0.
func nanos(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixNano()
}

func fromNanos(n int64) time.Time {
	if n == 0 {
		return time.Time{}
	}
	return time.Unix(0, n).UTC()
}
