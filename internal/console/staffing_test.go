package console

import (
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/deskfleet/deskfleet/internal/archive/audit"
	wire "github.com/deskfleet/deskfleet/internal/link"
	"github.com/deskfleet/deskfleet/internal/routing"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// A supervisor sees what a pool needs in the next days, as JSON and as a table; an agent does not; the audit log knows
// who asked. What is not known is no number.
func TestStaffing(t *testing.T) {
	d := start(t, routing.Times{})
	startArchive(t, d)
	const path = "/console/v1/staffing?pool=people"
	if status, p := d.get(t, path, bossToken, nil); status != http.StatusNotFound || p.Remedy == "" {
		t.Errorf("before a manager has sent it: %d, %v", status, p)
	}
	begin := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	d.router.SetSeats(map[string]wire.Seats{"people": {Staffing: &wire.Staffing{
		Revision: "p1", Start: begin, StepSeconds: 900, ShrinkagePercent: 30,
		Arrivals: []float64{4.5, -1}, Required: []int{2, -1}, Scheduled: []int{3, -1}, Rostered: []int{1, 1},
	}}})
	var got staffing
	if status, p := d.get(t, path, bossToken, &got); status != http.StatusOK {
		t.Fatalf("%d, %v", status, p)
	}
	want := staffing{Pool: "people", StepSeconds: 900, ShrinkagePercent: 30, Steps: []staffingStep{
		{Start: begin, Arrivals: new(4.5), Required: new(2), Scheduled: new(3), Rostered: new(1), Missing: new(2)},
		{Start: begin.Add(15 * time.Minute), Rostered: new(1)},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	header, body := d.table(t, path+"&format=csv", bossToken)
	const table = "start,arrivals,required,scheduled,rostered,missing\n2026-11-20T09:00:00Z,4.5,2,3,1,2\n2026-11-20T09:15:00Z,,,,1,\n"
	if body != table || header.Get("Content-Disposition") != `attachment; filename="staffing-people-20261120.csv"` {
		t.Errorf("%q comes as %q", body, header.Get("Content-Disposition"))
	}
	for _, tt := range []struct {
		path, token string
		status      int
	}{
		{path, chenToken, http.StatusForbidden},
		{"/console/v1/staffing", bossToken, http.StatusBadRequest},
		{path + "&format=xls", bossToken, http.StatusBadRequest},
		{"/console/v1/staffing?pool=nobody", bossToken, http.StatusNotFound},
	} {
		if status, p := d.get(t, tt.path, tt.token, nil); status != tt.status || p.Remedy == "" {
			t.Errorf("%s gives %d, %v", tt.path, status, p)
		}
	}
	eventually.True(t, "the audit log knows who asked", func() bool {
		var out struct {
			Records []audit.Record `json:"records"`
		}
		status, _ := d.get(t, "/console/v1/audit?action=staffing.read&limit=100", adminToken, &out)
		return status == http.StatusOK && len(out.Records) > 0 && out.Records[0].Who.ID == "boss"
	})
}
