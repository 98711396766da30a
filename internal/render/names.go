package render

import (
	"crypto/sha256"
	"encoding/base32"
	"regexp"
	"strings"

	"github.com/deskfleet/deskfleet/internal/runtimeconfig"
)

// maxBase is the longest owner's name that is used as it is. A StatefulSet
// named <base>-<suffix> labels its pods with <name>-<10 characters>, which must
// fit the 63 characters of a label: 63 - 11 - len("-knowledge") = 42.
const maxBase = 42

const hashLength = 12

var (
	// plainBase is a name that a Service may have too: a DNS label that begins with a letter.
	plainBase = regexp.MustCompile(`^[a-z]([-a-z0-9]*[a-z0-9])?$`)
	// hashedBase is the shape of the names that base makes. A user's name of this shape is hashed as well, so
	// that no user can choose the name which another object's children were given.
	hashedBase = regexp.MustCompile(`-x[a-z2-7]{12}$`)
	notInLabel = regexp.MustCompile(`[^-a-z0-9]+`)
)

// base is the part of the children's names that stands for their owner: the
// owner's name where that is short and plain, else its beginning with a hash of
// the whole. The two shapes never meet, so two owners never share a child.
func base(owner string) string {
	if len(owner) <= maxBase && plainBase.MatchString(owner) && !hashedBase.MatchString(owner) {
		return owner
	}
	sum := sha256.Sum256([]byte(owner))
	hash := strings.ToLower(base32.StdEncoding.EncodeToString(sum[:]))[:hashLength]
	readable := strings.Trim(notInLabel.ReplaceAllString(owner, "-"), "-")
	readable = strings.TrimRight(readable[:min(len(readable), maxBase-hashLength-4)], "-")
	return "d-" + readable + "-x" + hash
}

// child names a child of an owner. The suffixes are a fixed set, none of which
// ends in another one after a hyphen; without that "a-b" + "c" and "a" + "b-c"
// would be one name.
func child(owner, suffix string) string { return base(owner) + "-" + suffix }

// labelValue is an owner's name as a label value, which holds 63 characters only.
// As with base, no name is the value that another one was given.
func labelValue(owner string) string {
	if len(owner) <= 63 && !hashedBase.MatchString(owner) {
		return owner
	}
	return base(owner)
}

// RoleName is the name of a role's workload, and of its Service and Secret where it has one.
func RoleName(desk string, role runtimeconfig.Role) string { return child(desk, string(role)) }

// ClaimName is the name of the volume claim of a role's first pod.
func ClaimName(desk string, role runtimeconfig.Role) string {
	return volumeData + "-" + RoleName(desk, role) + "-0"
}

// ConfigMapName is the name of the ConfigMap with the desk's configuration.
func ConfigMapName(desk string) string { return child(desk, "config") }

// CASecretName is the name of the Secret with the desk's certificate authority; no pod mounts it.
func CASecretName(desk string) string { return child(desk, "ca") }

// ServiceAccountName is the name of the account of all pods of a desk.
func ServiceAccountName(desk string) string { return child(desk, "desk") }

// PoolWorkloadName is the name of the Deployment of a Bot pool.
func PoolWorkloadName(pool string) string { return child(pool, "worker") }
