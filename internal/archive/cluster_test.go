package archive

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
)

// postgresCluster is a private PostgreSQL for one run of the tests. On the loopback it asks for passwords.
type postgresCluster struct {
	dsn     string
	missing string // why there is none
	err     error  // why it does not start

	dir     string
	server  *exec.Cmd
	exited  chan error
	journal bytes.Buffer
}

func (c *postgresCluster) start() {
	bin := postgresBin()
	if bin == "" {
		c.missing = "no PostgreSQL is installed (initdb and postgres, in /usr/lib/postgresql/*/bin or the PATH): its half of the test is skipped"
		return
	}
	as, err := ordinaryUser()
	if err != nil {
		c.missing = fmt.Sprintf("PostgreSQL does not run as root and there is no other user: %v: its half of the test is skipped", err)
		return
	}
	c.err = c.run(bin, as)
}

// postgresBin is the folder of the newest PostgreSQL.
func postgresBin() string {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err == nil && len(found) > 0 {
		slices.Sort(found)
		return filepath.Dir(found[len(found)-1])
	}
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path)
	}
	return ""
}

// ordinaryUser is whom the server runs as: nobody else than us, unless we are root.
func ordinaryUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 32)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 32)
		if uidErr == nil && gidErr == nil {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("neither postgres nor nobody is known")
}

func (c *postgresCluster) run(bin string, as *syscall.Credential) error {
	// Short, because the path of a socket may have 107 bytes.
	dir, err := os.MkdirTemp("/tmp", "pg")
	if err != nil {
		return err
	}
	c.dir = dir
	if as != nil {
		if err := os.Chown(dir, int(as.Uid), int(as.Gid)); err != nil {
			return err
		}
	}
	command := func(name string, args ...string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(bin, name), args...)
		cmd.Dir = dir
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: as}
		cmd.Stdout, cmd.Stderr = &c.journal, &c.journal
		return cmd
	}
	data := filepath.Join(dir, "data")
	err = command("initdb", "--pgdata="+data, "--username=desk", "--auth-local=trust", "--auth-host=scram-sha-256",
		"--encoding=UTF8", "--locale=C", "--no-sync").Run()
	if err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, c.journal.String())
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	c.server = command("postgres", "-D", data, "-c", "listen_addresses=127.0.0.1", "-c", "port="+port, "-c", "unix_socket_directories="+dir,
		"-c", "fsync=off", "-c", "max_connections=60")
	if err := c.server.Start(); err != nil {
		return err
	}
	c.exited = make(chan error, 1)
	go func() { c.exited <- c.server.Wait() }()
	c.dsn = "host=" + dir + " port=" + port + " user=desk dbname=postgres"
	return c.ready()
}

// freePort of the loopback. Another process may take it before the server does: then the server does not start.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, errors.Join(err, l.Close())
}

func (c *postgresCluster) ready() error {
	db, err := sql.Open("pgx", c.dsn)
	if err != nil {
		return err
	}
	defer func() { _ = db.Close() }() // it was only asked whether it answers
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if db.PingContext(ctx) == nil {
			return nil
		}
		select {
		case err := <-c.exited:
			c.server = nil
			return fmt.Errorf("postgres ended: %w\n%s", err, c.journal.String())
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

func (c *postgresCluster) exec(t testing.TB, statement string) {
	t.Helper()
	db, err := sql.Open("pgx", c.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }() // the statement's error is what counts
	if _, err := db.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// stop the server by its process and remove what it has written.
func (c *postgresCluster) stop() error {
	var err error
	if c.server != nil {
		// A fast shutdown: sessions are ended, data is consistent.
		if err = c.server.Process.Signal(os.Interrupt); err == nil {
			<-c.exited
		}
	}
	if c.dir != "" {
		err = errors.Join(err, os.RemoveAll(c.dir))
	}
	return err
}
