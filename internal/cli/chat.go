package cli

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/deskfleet/deskfleet/internal/chatclient"
	"github.com/deskfleet/deskfleet/internal/chatclient/script"
)

type chatOptions struct {
	url       string
	script    string
	language  string
	contact   string
	giveUpFor time.Duration
}

func (o *chatOptions) addFlags(f *pflag.FlagSet) {
	f.StringVar(&o.script, "script", "", "file with the customer's side of the dialogue, - for standard input; exit status 1 when the desk answers otherwise")
	f.StringVar(&o.language, "language", "", "language of the customer as a BCP 47 tag, such as zh; default: the desk tells by the texts")
	f.StringVar(&o.contact, "contact", "", "name of the customer")
	f.DurationVar(&o.giveUpFor, "give-up-after", time.Minute, "end when the desk is out of reach for so long; 0 for never")
}

func (o *chatOptions) connection() chatclient.Options {
	return chatclient.Options{
		URL: o.url, Name: o.contact, Language: o.language,
		Reconnect: chatclient.Reconnect{GiveUpAfter: o.giveUpFor},
	}
}

func newChat() *cobra.Command {
	o := &chatOptions{}
	cmd := &cobra.Command{
		Use:   "chat URL",
		Short: "Talk to a desk as a customer",
		Long: `Chat is a customer of any desk: it connects to the gateway at URL, such as
http://localhost:8080, comes back by itself when the connection is lost, and
loses nothing meanwhile. Write a message a line; /close ends the conversation,
/quit leaves.

With --script the lines of a file are what the customer says, one after the other.
Lines that begin with # say what must come:

  Where is my order 1234?
  # expect: (?i)tomorrow       the next message from the desk matches
  # expect-from: bot           and is from a bot (or: agent)
  I want to talk to a person
  # within: 2m                 instead of 30s, from here on
  # wait: handed-off           people are asked (or: agent, closed)
  # close                      the customer ends the conversation
  ## a comment`,
		Args: oneURL,
		RunE: func(cmd *cobra.Command, args []string) error {
			o.url = args[0]
			return runChat(cmd, o)
		},
	}
	o.addFlags(cmd.Flags())
	return cmd
}

// oneURL is the address of a desk as the only argument.
func oneURL(_ *cobra.Command, args []string) error {
	if len(args) != 1 {
		return &usageError{fmt.Errorf("%d arguments: give the URL of one desk, such as http://localhost:8080", len(args))}
	}
	return nil
}

func runChat(cmd *cobra.Command, o *chatOptions) error {
	opts := chatclient.ChatOptions{Connection: o.connection(), Out: cmd.OutOrStdout()}
	if o.giveUpFor < 0 {
		return &usageError{fmt.Errorf("--give-up-after is %s: use 0 or more", o.giveUpFor)}
	}
	if o.script != "" {
		var err error
		if opts.Script, err = loadScript(o.script, cmd.InOrStdin()); err != nil {
			return err
		}
		return chatclient.RunChat(cmd.Context(), opts)
	}
	screen, err := openScreen(cmd, "you: ")
	if err != nil {
		return err
	}
	defer screen.restore()
	opts.In, opts.Out, opts.Echoed = screen.in, screen.out, screen.echoed
	return chatclient.RunChat(cmd.Context(), opts)
}

func loadScript(name string, stdin io.Reader) (*script.Script, error) {
	if name == "-" {
		data, err := io.ReadAll(io.LimitReader(stdin, script.MaxBytes+1))
		if err != nil {
			return nil, fmt.Errorf("--script: standard input: %w", err)
		}
		return script.Parse("stdin", data)
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("--script: %w", err)
	}
	return script.Parse(name, data)
}

// screen is where a person reads and types.
type screen struct {
	in     chatclient.LineReader
	out    io.Writer
	echoed bool
	// restore gives the terminal back.
	restore func()
}

// openScreen takes the terminal over if there is one; otherwise lines are read as they come.
func openScreen(cmd *cobra.Command, prompt string) (screen, error) {
	plain := screen{in: chatclient.Lines(cmd.InOrStdin()), out: cmd.OutOrStdout(), restore: func() {}}
	in, isFile := cmd.InOrStdin().(*os.File)
	out, alsoFile := cmd.OutOrStdout().(*os.File)
	if !isFile || !alsoFile {
		return plain, nil
	}
	terminal, restore, ok, err := chatclient.OpenTerminal(in, out, prompt)
	if err != nil || !ok {
		return plain, err
	}
	return screen{in: terminal, out: terminal, echoed: true, restore: restore}, nil
}
