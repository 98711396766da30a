package status

import (
	"errors"
	"net/http"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/plan"
)

// WaitingError says that the object is as far as it can be for now; something
// else comes first. It is no failure: nothing is logged as an error.
type WaitingError struct {
	// Reason of the conditions, one of v1alpha1.Reason….
	Reason string
	// Message for the conditions: what is waited for, and what to do if it never comes.
	Message string
	// After is when to look again if no watch wakes the controller before; 0 relies on the watches.
	After time.Duration
}

func (e *WaitingError) Error() string { return e.Message }

// TerminalError says that a person must change something before trying again makes sense.
type TerminalError struct {
	// Reason of the conditions, one of v1alpha1.Reason….
	Reason string
	// Message for the conditions: what is wrong, where, and what to do.
	Message string
	// After is when to look again where no watch tells that it was mended; 0 relies on the watches.
	After time.Duration
}

func (e *TerminalError) Error() string { return e.Message }

// SuspendedError says that spec.suspend, of the object or of another one, keeps the
// operator from doing anything for it.
type SuspendedError struct {
	// Message for the condition: whose spec.suspend it is.
	Message string
}

func (e *SuspendedError) Error() string { return e.Message }

// Suspended is the error of an object whose own spec.suspend is set.
func Suspended() error {
	return &SuspendedError{Message: "spec.suspend is true: the operator changes nothing; set it to false to resume"}
}

// shownProblems is how many problems a condition names; more would not be read.
const shownProblems = 5

// FromProblems is the error of a plan with problems; nil without any. The most
// severe problem gives the kind of error and the reason.
func FromProblems(problems []plan.Problem) error {
	if len(problems) == 0 {
		return nil
	}
	lines := make([]string, 0, shownProblems+1)
	worst := problems[0]
	for i, p := range problems {
		if p.Severity > worst.Severity {
			worst = p
		}
		if i < shownProblems {
			lines = append(lines, p.Field+": "+p.Message+"; "+p.Remedy)
		}
	}
	if more := len(problems) - shownProblems; more > 0 {
		lines = append(lines, plural(more))
	}
	message := strings.Join(lines, ". ")
	if worst.Severity == plan.Terminal {
		return &TerminalError{Reason: worst.Reason, Message: message}
	}
	return &WaitingError{Reason: worst.Reason, Message: message}
}

const (
	// quotaRetry is how often a refusal by a ResourceQuota or for want of a right is tried again: raising a quota
	// or granting a right wakes no watch of ours.
	quotaRetry = time.Minute
	// refusalRetry is how often a child that the API server found invalid is tried again: what forbids it may be a
	// policy of the cluster, whose change wakes no watch of ours either.
	refusalRetry = 5 * time.Minute
)

// Classify gives an error of the API server its place in the taxonomy; every
// other error is returned as it is, and counts as transient.
func Classify(err error) error {
	var apiStatus apierrors.APIStatus
	if err == nil || !errors.As(err, &apiStatus) {
		return err
	}
	message := apiStatus.Status().Message
	switch {
	case apierrors.IsForbidden(err) && strings.Contains(message, "exceeded quota"):
		return &WaitingError{Reason: v1alpha1.ReasonQuotaExceeded, Message: message + ": raise the namespace's ResourceQuota or ask for less", After: quotaRetry}
	case terminating(err):
		return &WaitingError{Reason: v1alpha1.ReasonProgressing, Message: "the namespace is being deleted"}
	case apierrors.IsForbidden(err) && strings.Contains(message, `is forbidden: User "`):
		return &WaitingError{Reason: v1alpha1.ReasonForbidden, Message: message + ": grant the operator this right", After: quotaRetry}
	case apierrors.IsForbidden(err):
		return &WaitingError{
			Reason: v1alpha1.ReasonForbidden, After: quotaRetry,
			Message: message + ": an admission policy of the cluster refuses this; change the spec or the policy",
		}
	case apierrors.IsInvalid(err), apiStatus.Status().Code == http.StatusRequestEntityTooLarge:
		return &TerminalError{Reason: v1alpha1.ReasonInvalidSpec, Message: "the API server refuses a child: " + message, After: refusalRetry}
	default:
		return err
	}
}

// terminating says that the API server refused to make something in a namespace that is being deleted.
func terminating(err error) bool {
	return apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause)
}
