package play

import (
	"context"
	"fmt"
	"io"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/deskfleet/deskfleet/internal/chatclient"
	"github.com/deskfleet/deskfleet/internal/manifest"
)

// Agent is an agent who accepts what is offered and answers by itself until
// leave is called; the channel then gives how it ended. What the agent sees is
// printed to out.
func Agent(ctx context.Context, url, token string, out io.Writer) (ended <-chan error, leave func()) {
	ctx, leave = context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() {
		done <- chatclient.RunAgent(ctx, chatclient.RunAgentOptions{
			Connection: chatclient.AgentOptions{URL: url, Token: token}, Auto: &chatclient.Auto{}, Out: indent{out},
		})
	}()
	return done, leave
}

// indent sets what an agent sees apart from what customers see.
type indent struct{ out io.Writer }

func (i indent) Write(text []byte) (int, error) {
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Fprint(i.out, "      | "+line); err != nil {
			return 0, err
		}
	}
	return len(text), nil
}

// SampleToken is the example token of an agent in a sample's manifests.
func SampleToken(folder, agent string) (string, error) {
	objects, err := manifest.Load([]string{folder}, nil)
	if err != nil {
		return "", err
	}
	for _, secret := range objects.Secrets {
		var tokens []struct{ Name, Token string }
		if err := yaml.Unmarshal(secret.Data["tokens.yaml"], &tokens); err != nil {
			return "", fmt.Errorf("Secret %s: %w", secret.Name, err)
		}
		for _, t := range tokens {
			if t.Name == agent {
				return t.Token, nil
			}
		}
	}
	return "", fmt.Errorf("%s holds no token of agent %s", folder, agent)
}
