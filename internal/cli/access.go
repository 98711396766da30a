package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/deskfleet/deskfleet/internal/console/reader"
)

// consoleAccess is the way to a desk's console: in the cluster of kubectl, or by its address.
type consoleAccess struct {
	kubectl kubectl
	agent   string
	url     string
	secret  agentOptions
}

// addFlags declares them; whose is the token that may read.
func (a *consoleAccess) addFlags(f *pflag.FlagSet, whose string) {
	a.kubectl.addFlags(f)
	f.StringVar(&a.url, "url", "", "address of the desk's console, such as http://localhost:8080, instead of a cluster")
	f.StringVar(&a.secret.tokenFile, "token-file", "", "file that holds the "+whose+", - for standard input")
	f.StringVar(&a.secret.tokenEnv, "token-env", "", "environment variable that holds it")
	f.StringVar(&a.agent, "agent", "", "agent whose token in the desk's Secret is used; default: the first supervisor's")
}

const urlExcludes = "--url names a console: leave out --desk, --agent and what chooses a cluster"

func (a *consoleAccess) hasToken() bool { return a.secret.tokenFile != "" || a.secret.tokenEnv != "" }

// problem says what is wrong with the flags; empty for nothing.
func (a *consoleAccess) problem() string {
	switch {
	case a.secret.tokenFile != "" && a.secret.tokenEnv != "":
		return "give either --token-file or --token-env"
	case a.url != "" && !a.hasToken():
		return "--url needs --token-file or --token-env: a token on the command line would be seen by others"
	case a.url != "" && (a.agent != "" || a.kubectl != kubectl{}):
		return urlExcludes
	case a.hasToken() && a.agent != "":
		return "give either --agent or a token"
	default:
		return ""
	}
}

// open finds the console of a desk, the only one of the namespace without a name, and a token. The way to it ends with stop.
func (a *consoleAccess) open(cmd *cobra.Command, desk string) (console *reader.Console, stop func(), err error) {
	console = &reader.Console{}
	if a.hasToken() {
		if console.Token, err = a.secret.token(cmd.InOrStdin()); err != nil {
			return nil, nil, err
		}
	}
	if a.url != "" {
		console.URL = a.url
		return console, func() {}, nil
	}
	stop, err = a.inCluster(cmd.Context(), console, desk, cmd.ErrOrStderr())
	return console, stop, err
}

func (a *consoleAccess) inCluster(ctx context.Context, console *reader.Console, name string, stderr io.Writer) (stop func(), err error) {
	desk, err := a.kubectl.desk(ctx, name)
	if err != nil {
		return nil, err
	}
	if console.Token == "" {
		token, err := a.kubectl.token(ctx, desk, a.agent)
		if err != nil {
			return nil, err
		}
		console.Token = token.Token
		_, _ = fmt.Fprintf(stderr, "Reads ServiceDesk %s as %s (%s).\n", desk.Name, token.Name, token.Role)
	}
	console.URL, stop, err = a.kubectl.console(ctx, desk)
	return stop, err
}
