package cli

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/deskfleet/deskfleet/internal/manifest"
	"github.com/deskfleet/deskfleet/internal/plan"
	"github.com/deskfleet/deskfleet/internal/render"
)

type renderOptions struct {
	files []string
	image string
}

func (o *renderOptions) addFlags(f *pflag.FlagSet) {
	f.StringArrayVarP(&o.files, "filename", "f", nil, "file or folder with manifests, - for standard input; may be given several times (required)")
	f.StringVar(&o.image, "image", "deskfleet:latest", "image of the roles where a desk names none")
}

func newRender() *cobra.Command {
	o := &renderOptions{}
	cmd := &cobra.Command{
		Use:   "render -f FILE...",
		Short: "Print the children that the operator would make, without a cluster",
		Long: `Render validates manifests as the API server would, and prints all child objects
as the operator would make them, with the same code and without a cluster. Only
the operator makes keys and certificates, and knows the UIDs of owners: Secrets
are empty here, and no child names its owner.
What only several objects show (a queue that no pool serves, a name that leads
nowhere) is printed to standard error, and the exit status is 1.`,
		Args: inFiles(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(o.files) == 0 {
				return &usageError{errors.New("-f is missing: name a file or folder with manifests")}
			}
			return runRender(o, cmd.InOrStdin(), cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func runRender(o *renderOptions, stdin io.Reader, stdout, stderr io.Writer) error {
	settings := render.Settings{Image: o.image}
	if err := settings.Validate(); err != nil {
		return &usageError{fmt.Errorf("--image: %w", err)}
	}
	plans, err := loadPlans(o.files, stdin, stderr)
	if err != nil {
		return err
	}
	var objects []*unstructured.Unstructured
	for _, desk := range plans.Desks {
		children := settings.Children(desk)
		if err := withRoles(children, desk); err != nil {
			return err
		}
		objects = append(objects, children...)
		for _, secret := range render.SecretsOf(desk.Owner.Namespace, desk.Owner.Name, &desk.Spec) {
			objects = append(objects, secret.Outline(desk.Owner))
		}
	}
	for _, pool := range plans.Pools {
		children := settings.PoolChildren(pool)
		if err := withWorkers(children, pool); err != nil {
			return err
		}
		objects = append(objects, children...)
	}
	if err := writeYAML(stdout, objects); err != nil {
		return err
	}
	for _, problem := range plans.Problems {
		_, _ = fmt.Fprintln(stderr, problem)
	}
	if n := len(plans.Problems); n > 0 {
		return fmt.Errorf("%d problems, see above", n)
	}
	return nil
}

// loadPlans reads manifests and plans them; objects of other kinds are named on stderr.
func loadPlans(files []string, stdin io.Reader, stderr io.Writer) (*plan.Plans, error) {
	objects, err := manifest.Load(files, stdin)
	if err != nil {
		return nil, err
	}
	return planOf(objects, stderr)
}

// planOf plans manifests as the controllers would.
func planOf(objects *manifest.Objects, stderr io.Writer) (*plan.Plans, error) {
	for _, note := range objects.Notes {
		_, _ = fmt.Fprintf(stderr, "%s:%d: %s %s is not used\n", note.File, note.Line, note.Kind, note.Name)
	}
	return plan.Offline(&plan.Objects{
		ServiceDesks: objects.ServiceDesks, AgentPools: objects.AgentPools, KnowledgeBases: objects.KnowledgeBases,
		EscalationPolicies: objects.EscalationPolicies, ConfigMaps: objects.ConfigMaps,
	})
}

// withWorkers sets the number of workers that a pool starts with, which a cluster
// is given apart from the Deployment: without it kubectl apply would run one.
func withWorkers(children []*unstructured.Unstructured, pool *render.Pool) error {
	for _, child := range children {
		if child.GetKind() != "Deployment" {
			continue
		}
		if err := unstructured.SetNestedField(child.Object, pool.Start(), "spec", "replicas"); err != nil {
			return fmt.Errorf("set the replicas of %s: %w", child.GetName(), err)
		}
	}
	return nil
}

// withRoles sets the number of pods that the roles which scale start with, as withWorkers does for pools.
func withRoles(children []*unstructured.Unstructured, desk *render.Desk) error {
	for _, child := range children {
		for _, role := range render.ScaledRoles {
			bounds := render.Scaled(&desk.Spec, role)
			if bounds == nil || child.GetKind() != "Deployment" || child.GetName() != render.RoleName(desk.Owner.Name, role) {
				continue
			}
			if err := unstructured.SetNestedField(child.Object, int64(max(1, bounds.Min)), "spec", "replicas"); err != nil {
				return fmt.Errorf("set the replicas of %s: %w", child.GetName(), err)
			}
		}
	}
	return nil
}

func writeYAML(w io.Writer, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		// Owners have no UID without a cluster, and the API server refuses a reference without one.
		object.SetOwnerReferences(nil)
		data, err := yaml.Marshal(object.Object)
		if err != nil {
			return fmt.Errorf("print %s %s: %w", object.GetKind(), object.GetName(), err)
		}
		if _, err := fmt.Fprintf(w, "---\n%s", data); err != nil {
			return fmt.Errorf("print %s %s: %w", object.GetKind(), object.GetName(), err)
		}
	}
	return nil
}
