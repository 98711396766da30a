package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/deskfleet/deskfleet/internal/chatclient"
)

// mostTokenBytes are read of a file with a token: what is longer is no token.
const mostTokenBytes = 4 << 10

type agentOptions struct {
	url           string
	tokenFile     string
	tokenEnv      string
	auto          bool
	autoClose     bool
	idle          time.Duration
	conversations int
	giveUpFor     time.Duration
}

func (o *agentOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.tokenFile, "token-file", "", "file that holds the agent's token, - for standard input with --auto")
	f.StringVar(&o.tokenEnv, "token-env", "", "environment variable that holds the agent's token")
	f.BoolVar(&o.auto, "auto", false, "answer by itself, and close when the customer says thanks or nothing for --idle")
	f.BoolVar(&o.autoClose, "auto-close", false, "answer by itself, and close behind the first answer")
	f.DurationVar(&o.idle, "idle", chatclient.DefaultIdle, "with --auto: how long a customer may say nothing")
	f.IntVar(&o.conversations, "for", 0, "leave after so many conversations; 0 for never")
	f.DurationVar(&o.giveUpFor, "give-up-after", time.Minute, "end when the desk is out of reach for so long; 0 for never")
}

func (o *agentOptions) validate() error {
	var problem string
	switch {
	case (o.tokenFile == "") == (o.tokenEnv == ""):
		problem = "give either --token-file or --token-env: a token on the command line would be seen by others"
	case o.idle <= 0:
		problem = fmt.Sprintf("--idle is %s: use more than 0", o.idle)
	case o.conversations < 0:
		problem = fmt.Sprintf("--for is %d: use 0 or more", o.conversations)
	case o.giveUpFor < 0:
		problem = fmt.Sprintf("--give-up-after is %s: use 0 or more", o.giveUpFor)
	case o.tokenFile == "-" && !o.automatic():
		problem = "--token-file is -: without --auto standard input is what the agent types"
	}
	if problem != "" {
		return &usageError{errors.New(problem)}
	}
	return nil
}

func (o *agentOptions) automatic() bool { return o.auto || o.autoClose }

func newAgent() *cobra.Command {
	o := &agentOptions{}
	cmd := &cobra.Command{
		Use:   "agent URL --token-file FILE",
		Short: "Answer customers of a desk as an agent",
		Long: `Agent is a person of any desk, in a terminal: it signs on at the console at URL,
such as http://localhost:8080, goes available, and shows offers with the reason of
the hand-off, transcripts, and what customers say. /help lists the commands.

With --auto it accepts and answers by itself, politely and in the customer's
language, but it knows nothing: for demonstrations and tests.`,
		Args: oneURL,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			o.url = args[0]
			return runAgent(cmd, o)
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

func runAgent(cmd *cobra.Command, o *agentOptions) error {
	token, err := o.token(cmd.InOrStdin())
	if err != nil {
		return err
	}
	opts := chatclient.RunAgentOptions{
		Connection: chatclient.AgentOptions{
			URL: o.url, Token: token, Reconnect: chatclient.Reconnect{GiveUpAfter: o.giveUpFor},
		},
		Conversations: o.conversations, Out: cmd.OutOrStdout(),
	}
	if o.automatic() {
		opts.Auto = &chatclient.Auto{CloseAtOnce: o.autoClose, Idle: o.idle}
		return chatclient.RunAgent(cmd.Context(), opts)
	}
	screen, err := openScreen(cmd, "> ")
	if err != nil {
		return err
	}
	defer screen.restore()
	opts.In, opts.Out, opts.Echoed = screen.in, screen.out, screen.echoed
	return chatclient.RunAgent(cmd.Context(), opts)
}

// token reads the token from where it is kept. Errors do not show it.
func (o *agentOptions) token(stdin io.Reader) (string, error) {
	if o.tokenEnv != "" {
		token := os.Getenv(o.tokenEnv)
		if token == "" {
			return "", fmt.Errorf("--token-env: the variable %s is empty: put the agent's token into it", o.tokenEnv)
		}
		return token, nil
	}
	source := stdin
	if o.tokenFile != "-" {
		file, err := os.Open(o.tokenFile)
		if err != nil {
			return "", fmt.Errorf("--token-file: %w", err)
		}
		defer func() { _ = file.Close() }()
		source = file
	}
	data, err := io.ReadAll(io.LimitReader(source, mostTokenBytes))
	if err != nil {
		return "", fmt.Errorf("--token-file: %w", err)
	}
	token := strings.TrimSpace(string(data))
	if token == "" {
		return "", fmt.Errorf("--token-file: %s is empty: write the agent's token into it", o.tokenFile)
	}
	return token, nil
}
