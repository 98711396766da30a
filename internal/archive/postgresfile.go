package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"github.com/jackc/pgx/v5"

	"github.com/deskfleet/deskfleet/internal/bus"
)

// ErrNotYet is wrapped by errors of Options.Open that may pass without a restart, such as a Secret that comes
// later or a database that is restarted: the role says so in its health and tries again.
var ErrNotYet = errors.New("the database cannot be opened yet")

// maxDSN is far beyond what a DSN needs: another file may be mounted by mistake.
const maxDSN = 16 << 10

// errDSN names no part of the DSN: the parser's own error repeats it.
var errDSN = errors.New("the DSN of the archive's PostgreSQL cannot be read: write postgres://USER:PASSWORD@HOST:PORT/DATABASE")

// PostgresFromFile gives an Open that takes the DSN from a file, which may come later. Name and password are
// read again for each new connection, so that a rotated password needs no restart; server and database are
// those of the beginning. All its errors wrap ErrNotYet.
func PostgresFromFile(file string, logger *slog.Logger) func(context.Context, bus.Subjects) (Store, error) {
	return func(ctx context.Context, subjects bus.Subjects) (Store, error) {
		dsn, err := readDSN(file)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotYet, err)
		}
		fresh := func() (*pgx.ConnConfig, error) {
			dsn, err := readDSN(file)
			if err != nil {
				return nil, err
			}
			return parseDSN(dsn)
		}
		db, err := openPostgres(ctx, dsn, fresh, subjects, logger)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotYet, err)
		}
		return db, nil
	}
}

func readDSN(file string) (string, error) {
	data, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%s does not exist: make the Secret that spec.archive.postgres.dsnSecretRef names, with the key dsn", file)
	case err != nil:
		return "", fmt.Errorf("the DSN: %w", err)
	}
	dsn := bytes.TrimSpace(data)
	if len(dsn) == 0 || len(dsn) > maxDSN {
		return "", fmt.Errorf("%s has %d bytes: put one DSN into the key dsn of the Secret", file, len(data))
	}
	return string(dsn), nil
}

func parseDSN(dsn string) (*pgx.ConnConfig, error) {
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		return nil, errDSN
	}
	return config, nil
}
