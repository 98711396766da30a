// Package argocd_test runs the health script as Argo CD does.
package argocd_test

import (
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	lua "github.com/yuin/gopher-lua"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/status"
)

// health runs the script with the object as the global obj, with the libraries that Argo CD opens.
func health(t *testing.T, object any) (state, message string) {
	t.Helper()
	script, err := os.ReadFile("health.lua")
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(object)
	if err != nil {
		t.Fatal(err)
	}
	var content map[string]any
	if err := json.Unmarshal(data, &content); err != nil {
		t.Fatal(err)
	}
	vm := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer vm.Close()
	for name, open := range map[string]lua.LGFunction{
		lua.LoadLibName: lua.OpenPackage, lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable,
	} {
		if err := vm.CallByParam(lua.P{Fn: vm.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			t.Fatal(err)
		}
	}
	vm.SetGlobal("obj", value(vm, content))
	if err := vm.DoString(string(script)); err != nil {
		t.Fatal(err)
	}
	result, ok := vm.Get(-1).(*lua.LTable)
	if !ok {
		t.Fatalf("the script returns %s, Argo CD wants a table", vm.Get(-1).Type())
	}
	return result.RawGetString("status").String(), result.RawGetString("message").String()
}

// value converts what JSON gives.
func value(vm *lua.LState, v any) lua.LValue {
	switch v := v.(type) {
	case map[string]any:
		table := vm.NewTable()
		for key, element := range v {
			table.RawSetString(key, value(vm, element))
		}
		return table
	case []any:
		table := vm.NewTable()
		for _, element := range v {
			table.Append(value(vm, element))
		}
		return table
	case string:
		return lua.LString(v)
	case float64:
		return lua.LNumber(v)
	case bool:
		return lua.LBool(v)
	}
	return lua.LNil
}

// concluded is a desk as the operator leaves it after a reconcile that ended with err.
func concluded(before *v1alpha1.ServiceDesk, err error) *v1alpha1.ServiceDesk {
	if before == nil {
		before = &v1alpha1.ServiceDesk{ObjectMeta: metav1.ObjectMeta{Name: "web", Generation: 3}}
	}
	_, _ = status.Conclude(before, err, "all roles run")
	return before
}

func TestHealthFollowsTheOperatorsConditions(t *testing.T) {
	fresh := &v1alpha1.ServiceDesk{ObjectMeta: metav1.ObjectMeta{Name: "web", Generation: 1}}
	fresh.Status.ObservedGeneration = -1 // the schema's default
	changed := concluded(nil, nil)
	changed.Generation++
	changedWhileStalled := concluded(nil, &status.TerminalError{Reason: v1alpha1.ReasonInvalidSpec, Message: "queue sales does not exist"})
	changedWhileStalled.Generation++
	suspended := concluded(nil, nil)
	suspended.Spec.Suspend = true
	if _, err := status.Conclude(suspended, status.Suspended(), ""); err != nil {
		t.Fatal(err)
	}
	deleted := concluded(nil, nil)
	deleted.DeletionTimestamp = new(metav1.Unix(1_700_000_000, 0))

	for name, c := range map[string]struct {
		object         *v1alpha1.ServiceDesk
		state, message string
	}{
		"never seen":               {fresh, "Progressing", "not seen this generation"},
		"works":                    {concluded(nil, nil), "Healthy", "all roles run"},
		"spec changed":             {changed, "Progressing", "not seen this generation"},
		"spec of a mistake mended": {changedWhileStalled, "Progressing", "not seen this generation"},
		"rolling out":              {concluded(nil, status.Progress("1 of 6 workloads")), "Progressing", "1 of 6 workloads"},
		"waits for a reference": {concluded(nil, &status.WaitingError{Reason: v1alpha1.ReasonReferenceMissing, Message: "EscalationPolicy web is missing"}),
			"Progressing", "EscalationPolicy web is missing"},
		"API server fails":         {concluded(nil, errors.New("connection refused")), "Progressing", "connection refused"},
		"API server fails of late": {concluded(concluded(nil, nil), errors.New("connection refused")), "Progressing", "connection refused"},
		"only a person can mend it": {concluded(nil, &status.TerminalError{Reason: v1alpha1.ReasonNameConflict, Message: "Service web-gateway is not ours"}),
			"Degraded", "Service web-gateway is not ours"},
		"works again": {concluded(concluded(nil, &status.TerminalError{Reason: v1alpha1.ReasonNameConflict, Message: "Service web-gateway is not ours"}), nil),
			"Healthy", "all roles run"},
		"suspended": {suspended, "Suspended", "spec.suspend"},
		"deleted":   {deleted, "Progressing", "being deleted"},
	} {
		state, message := health(t, c.object)
		if state != c.state || !strings.Contains(message, c.message) {
			t.Errorf("%s: %s %q, want %s with %q", name, state, message, c.state, c.message)
		}
	}
}

func TestHealthOfAnObjectWithoutStatus(t *testing.T) {
	for name, object := range map[string]any{
		"no status":                 map[string]any{"metadata": map[string]any{"generation": 1}},
		"seen, no condition":        map[string]any{"metadata": map[string]any{"generation": 1}, "status": map[string]any{"observedGeneration": 1}},
		"seen, empty conditions":    map[string]any{"metadata": map[string]any{"generation": 1}, "status": map[string]any{"observedGeneration": 1, "conditions": []any{}}},
		"ready is not known so far": map[string]any{"metadata": map[string]any{"generation": 1}, "status": map[string]any{"observedGeneration": 1, "conditions": []any{map[string]any{"type": "Ready", "status": "Unknown", "message": "wait"}}}},
	} {
		if state, message := health(t, object); state != "Progressing" || message == "" {
			t.Errorf("%s: %s %q, want Progressing and why", name, state, message)
		}
	}
}
