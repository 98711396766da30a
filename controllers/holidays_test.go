package controllers_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// A holiday feed may come after the desk that names it; a change of it reaches the desk, and one that breaks it
// is told with its line while the last good one stays.
func TestHolidaysFollowTheirConfigMap(t *testing.T) {
	const feed = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nUID:1\nSUMMARY:%s\nDTSTART;VALUE=DATE:%s\nEND:VEVENT\nEND:VCALENDAR\n"
	newYear, mayDay := fmt.Sprintf(feed, "New Year", "20270101"), fmt.Sprintf(feed, "May Day", "20270501")
	b := newBench(t)
	b.apply(strings.Replace(shop, "kind: ServiceDesk\nmetadata: {name: shop}\nspec:\n", "kind: ServiceDesk\nmetadata: {name: shop}\nspec:\n  calendar: {holidays: {configMapRef: {name: days}}}\n", 1))
	b.startOperator()
	said := func(kind, text string) {
		t.Helper()
		eventually.Nil(t, "the desk is "+kind+" and says "+text, func() error {
			if err := b.runWorkloads(); err != nil {
				return err
			}
			c := meta.FindStatusCondition(b.desk().Status.Conditions, kind)
			if c == nil || c.Status != metav1.ConditionTrue || !strings.Contains(c.Message, text) {
				return fmt.Errorf("condition %+v", c)
			}
			return nil
		})
	}
	configured := func(want string) {
		t.Helper()
		eventually.Nil(t, "the desk is configured with the feed", func() error {
			var c corev1.ConfigMap
			if err := b.get(&c, "shop-config"); err != nil {
				return err
			}
			document, err := runtimeconfig.Parse([]byte(c.Data[runtimeconfig.FileName]))
			if err != nil {
				return err
			}
			if document.Calendar == nil || document.Calendar.ICalendar != want {
				return errors.New(c.Data[runtimeconfig.FileName])
			}
			return nil
		})
	}
	said(v1alpha1.ConditionReconciling, "spec.calendar.holidays.configMapRef.name: ConfigMap days does not exist")

	configMap := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: b.namespace, Name: "days"}, Data: map[string]string{"holidays.ics": newYear}}
	if err := b.client.Create(t.Context(), configMap); err != nil {
		t.Fatal(err)
	}
	configured(newYear)
	b.allReady()

	edit(b, &corev1.ConfigMap{}, "days", func(c *corev1.ConfigMap) { c.Data["holidays.ics"] = mayDay })
	configured(mayDay)

	edit(b, &corev1.ConfigMap{}, "days", func(c *corev1.ConfigMap) {
		c.Data["holidays.ics"] = strings.Replace(newYear, "20270101", "2027-01-01", 1)
	})
	said(v1alpha1.ConditionStalled, "key holidays.ics, line 5: DTSTART: ")
	configured(mayDay)

	if err := b.client.Delete(t.Context(), configMap); err != nil {
		t.Fatal(err)
	}
	said(v1alpha1.ConditionReconciling, "ConfigMap days does not exist")
	configured(mayDay)
}
