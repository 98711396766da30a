package v1alpha1

// Labels and annotations that stand on the children of a desk. The app.kubernetes.io ones are the
// recommended labels of Kubernetes, so that other tools group a desk without knowing Deskfleet.
const (
	// LabelManagedBy tells our children from everything else; caches select by it.
	LabelManagedBy = "app.kubernetes.io/managed-by"
	// ManagedByDeskfleet is the value of LabelManagedBy on every child.
	ManagedByDeskfleet = "deskfleet"
	// LabelName is the application; "deskfleet" on every child.
	LabelName = "app.kubernetes.io/name"
	// LabelInstance is the desk.
	LabelInstance = "app.kubernetes.io/instance"
	// LabelComponent is the role, for example "gateway".
	LabelComponent = "app.kubernetes.io/component"
	// LabelDesk is the desk that a child belongs to.
	LabelDesk = "deskfleet.dev/desk"
	// LabelPool is the pool that a bot worker belongs to.
	LabelPool = "deskfleet.dev/pool"
)

// Field owners of server-side apply. They never change: a new name would leave the old one's fields behind.
const (
	// FieldOwner owns everything that the operator renders.
	FieldOwner = "deskfleet"
	// FieldOwnerScaling owns spec.replicas of bot pools, and nothing else, so that a change of the rendered
	// Deployment can never move the number of workers.
	FieldOwnerScaling = "deskfleet-scaling"
)
