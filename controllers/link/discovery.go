package link

import (
	"context"
	"fmt"
	"net/http"

	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"
)

// apiServer publishes what its tokens are verified with. Every ServiceAccount may
// read that, by the cluster's own role system:service-account-issuer-discovery.
type apiServer struct{ client rest.Interface }

func newAPIServer(config *rest.Config, httpClient *http.Client) (*apiServer, error) {
	client, err := discovery.NewDiscoveryClientForConfigAndClient(config, httpClient)
	if err != nil {
		return nil, fmt.Errorf("make a client for the cluster's signing keys: %w", err)
	}
	return &apiServer{client: client.RESTClient()}, nil
}

// OpenIDConfiguration implements server.Discovery.
func (a *apiServer) OpenIDConfiguration(ctx context.Context) ([]byte, error) {
	return a.get(ctx, "/.well-known/openid-configuration")
}

// JSONWebKeySet implements server.Discovery.
func (a *apiServer) JSONWebKeySet(ctx context.Context) ([]byte, error) {
	return a.get(ctx, "/openid/v1/jwks")
}

func (a *apiServer) get(ctx context.Context, path string) ([]byte, error) {
	// The key set has a media type of its own, which the API server insists on.
	data, err := a.client.Get().AbsPath(path).SetHeader("Accept", "*/*").DoRaw(ctx)
	if err != nil {
		return nil, fmt.Errorf("read %s of the API server: %w", path, err)
	}
	return data, nil
}
