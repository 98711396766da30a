package localcluster

import (
	"fmt"
	"os"
	"strconv"

	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfigUsers are the identities that get a kubeconfig.
var kubeconfigUsers = []string{"admin", "kubelet", "controller-manager", "scheduler", "proxy", "coredns", "provisioner"}

// writeKubeconfigs writes self-contained kubeconfigs: certificate and key are
// in the file, so that it can be copied elsewhere on the machine.
func (c *cluster) writeKubeconfigs(ca *authority) error {
	for _, user := range kubeconfigUsers {
		cert, err := os.ReadFile(c.cert(user))
		if err != nil {
			return err
		}
		key, err := os.ReadFile(c.key(user))
		if err != nil {
			return err
		}
		config := api.NewConfig()
		config.Clusters[c.Name] = &api.Cluster{Server: c.server(), CertificateAuthorityData: ca.pem}
		config.AuthInfos[user] = &api.AuthInfo{ClientCertificateData: cert, ClientKeyData: key}
		config.Contexts[c.Name] = &api.Context{Cluster: c.Name, AuthInfo: user}
		config.CurrentContext = c.Name
		content, err := clientcmd.Write(*config)
		if err != nil {
			return fmt.Errorf("kubeconfig of %s: %w", user, err)
		}
		if err := writeFile(c.kubeconfig(user), content, 0o600); err != nil {
			return err
		}
	}
	return giveToCaller(c.kubeconfig("admin"))
}

// giveToCaller makes a file readable for the person who ran the tool by sudo.
func giveToCaller(path string) error {
	uid, err := strconv.Atoi(os.Getenv("SUDO_UID"))
	if err != nil {
		return nil //nolint:nilerr // not run by sudo: the file is root's own
	}
	return os.Chown(path, uid, -1)
}
