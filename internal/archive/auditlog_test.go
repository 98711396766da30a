package archive

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/deskfleet/deskfleet/internal/archive/protocol"
)

func TestAuditChain(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		st, s := d.store(), newScript(t)
		if v, err := st.VerifyAudit(t.Context()); err != nil || v.Broken != nil || v.Records != 0 {
			t.Fatalf("an empty chain: %+v, %v", v, err)
		}
		for range 3 {
			s.audit("agent.signedOn")
			s.audit("conversation.read")
			s.store(st) // the chain goes on over batches
		}
		v, err := st.VerifyAudit(t.Context())
		if err != nil || v.Broken != nil || v.Records != 6 {
			t.Fatalf("verification %+v, %v", v, err)
		}
		for name, c := range map[string]struct {
			r    protocol.AuditRequest
			want []uint64
		}{
			"all":    {protocol.AuditRequest{}, []uint64{1, 2, 3, 4, 5, 6}},
			"newest": {protocol.AuditRequest{Newest: true}, []uint64{6, 5, 4, 3, 2, 1}},
			"action": {protocol.AuditRequest{Action: "conversation.read"}, []uint64{2, 4, 6}},
			"prefix": {protocol.AuditRequest{Action: "agent."}, []uint64{1, 3, 5}},
			"after":  {protocol.AuditRequest{After: 4, Who: "mei"}, []uint64{5, 6}},
			"nobody": {protocol.AuditRequest{Who: "max"}, nil},
		} {
			c.r.Limit = 2
			if got := numbers(t, st, c.r); !slices.Equal(got, c.want) {
				t.Errorf("%s: records %v, want %v", name, got, c.want)
			}
		}
	})
}

// numbers of all records, read page by page.
func numbers(t *testing.T, st Store, r protocol.AuditRequest) []uint64 {
	t.Helper()
	var got []uint64
	for {
		reply, err := st.Audit(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, record := range reply.Records {
			got = append(got, record.Number)
		}
		if reply.Next == 0 {
			return got
		}
		r.After = reply.Next
	}
}

// The database refuses to change the audit, and what is changed behind its back is found.
func TestAuditTampering(t *testing.T) {
	statements := []struct {
		name, statement string
		broken          uint64
	}{
		{"update", `UPDATE audit SET who_id = 'max' WHERE number = 2`, 2},
		{"details", `UPDATE audit SET details = '{"n":1}' WHERE number = 3`, 3},
		{"delete", `DELETE FROM audit WHERE number = 2`, 2},
		{"cut off", `DELETE FROM audit WHERE number > 2`, 3},
		{"truncate", `DELETE FROM audit`, 1},
	}
	onEach(t, func(t *testing.T, d database) {
		st, s := d.store(), newScript(t)
		for range 4 {
			s.audit("agent.signedOn")
		}
		s.store(st)
		for _, c := range statements {
			if _, err := st.write.ExecContext(t.Context(), c.statement); err == nil || !strings.Contains(err.Error(), "never") {
				t.Errorf("%s is not refused: %v", c.name, err)
			}
		}
		disarm := map[string]string{
			"sqlite":     `DROP TRIGGER audit_unchanged; DROP TRIGGER audit_undeleted`,
			"postgresql": `ALTER TABLE audit DISABLE TRIGGER USER`,
		}[st.engine.name]
		if _, err := st.write.ExecContext(t.Context(), disarm); err != nil {
			t.Fatal(err)
		}
		for _, c := range statements {
			if _, err := st.write.ExecContext(t.Context(), `CREATE TABLE copy AS SELECT * FROM audit`); err != nil {
				t.Fatal(err)
			}
			if _, err := st.write.ExecContext(t.Context(), c.statement); err != nil {
				t.Fatal(err)
			}
			v, err := st.VerifyAudit(t.Context())
			if err != nil || v.Broken == nil || v.Broken.Number != c.broken {
				t.Errorf("%s: verification %+v (%+v), %v, want a break at %d", c.name, v, v.Broken, err, c.broken)
			}
			if _, err := st.write.ExecContext(t.Context(), `DELETE FROM audit; INSERT INTO audit SELECT * FROM copy; DROP TABLE copy`); err != nil {
				t.Fatal(err)
			}
		}
		if v, err := st.VerifyAudit(t.Context()); err != nil || v.Broken != nil {
			t.Fatalf("the restored chain: %+v, %v", v, err)
		}
	})
}

// Two archives on one database, such as an old pod that does not end, never fork the chain.
func TestAuditIsNotForked(t *testing.T) {
	onEach(t, func(t *testing.T, d database) {
		a, b := d.store(), d.store()
		done := make(chan error, 2)
		for _, st := range []*DB{a, b} {
			go func() {
				for range 20 {
					if _, err := st.Restart(t.Context(), must(st.Position(t.Context())), start, time.Now()); err != nil && !isMoved(err) {
						done <- err
						return
					}
				}
				done <- nil
			}()
		}
		for range 2 {
			if err := <-done; err != nil {
				t.Fatal(err)
			}
		}
		v, err := a.VerifyAudit(t.Context())
		if err != nil || v.Broken != nil || v.Records == 0 {
			t.Fatalf("verification %+v, %v", v, err)
		}
		p, err := a.Position(t.Context())
		if err != nil || uint64(p.Generation) != v.Records+1 {
			t.Errorf("generation %d after %d records, %v", p.Generation, v.Records, err)
		}
	})
}
