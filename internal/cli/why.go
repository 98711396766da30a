package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/explain"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// Formats of output.
const (
	outputTable = "table"
	outputJSON  = "json"
)

type whyOptions struct {
	conversation conversation.ID
	access       consoleAccess
	desk         string
	output       string
}

func (o *whyOptions) addFlags(f *pflag.FlagSet) {
	o.access.addFlags(f, "token of a supervisor or of the conversation's agent")
	f.StringVar(&o.desk, "desk", "", "name of the ServiceDesk; default: the only one of the namespace")
	f.StringVarP(&o.output, "output", "o", outputTable, "table or json")
}

func (o *whyOptions) validate() error {
	problem := o.access.problem()
	switch {
	case o.output != outputTable && o.output != outputJSON:
		problem = fmt.Sprintf("--output is %q: use table or json", o.output)
	case o.access.url != "" && o.desk != "" && problem == "":
		problem = urlExcludes
	}
	if problem != "" {
		return &usageError{errors.New(problem)}
	}
	return nil
}

func newWhy() *cobra.Command {
	o := &whyOptions{}
	cmd := &cobra.Command{
		Use:   "why CONVERSATION",
		Short: "Tell why a conversation went where it went",
		Long: `Why prints all decisions about a conversation, in order, with the reasons that were
stored with them: the score and its parts, rings, overflow, skills, the agent, and
who was passed over. The conversation may be open or archived.

It finds the desk in the cluster of kubectl, forwards a port to its console, and
reads with the token of the desk's first supervisor, which takes the right to read
the Secret; the desk's audit log says so. Give a token of your own where you have
none, and --url where there is no cluster:

  kubectl desk why 01KAJ3T1Q6S4V9D2N8X5C7B0ZM -n shop
  deskfleet why 01KAJ3T1Q6S4V9D2N8X5C7B0ZM --url http://localhost:8080 --token-file sara`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return &usageError{fmt.Errorf("%d arguments: give the id of one conversation, as the console, search and webhooks show it", len(args))}
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.validate(); err != nil {
				return err
			}
			o.conversation = conversation.ID(args[0])
			return runWhy(cmd, o)
		},
	}
	o.addFlags(cmd.Flags())
	cmd.AddCommand(newWhyPool())
	return cmd
}

func runWhy(cmd *cobra.Command, o *whyOptions) error {
	if _, err := conversation.ParseID(string(o.conversation)); err != nil { // before a way to the desk is opened
		return fmt.Errorf("%q is no conversation: name it by its id, as the console, search and webhooks show it", o.conversation)
	}
	console, stop, err := o.access.open(cmd, o.desk)
	if err != nil {
		return err
	}
	defer stop()
	story, err := explain.Source{Console: console}.Read(cmd.Context(), o.conversation)
	if p, ok := errors.AsType[*problem.Problem](err); ok && p.Status == http.StatusNotFound {
		return fmt.Errorf("the desk has no conversation %s: check the id, and that it is this desk's; the archive keeps conversations for spec.retention", o.conversation)
	}
	if err != nil {
		return err
	}
	if o.output == outputJSON {
		out := json.NewEncoder(cmd.OutOrStdout())
		out.SetIndent("", "  ")
		out.SetEscapeHTML(false)
		return out.Encode(story)
	}
	return printStory(cmd.OutOrStdout(), story)
}

// printStory prints decisions with their reasons below them.
func printStory(out io.Writer, story *explain.Story) error {
	say := func(format string, args ...any) error {
		_, err := fmt.Fprintf(out, format, args...)
		return err
	}
	if c := story.Conversation; c != nil {
		text := fmt.Sprintf("Conversation %s: %s, queue %s, by %s, began %s (all times in UTC)", c.ID, c.Status, c.Queue, c.Channel, c.OpenedAt.UTC().Format(time.RFC3339))
		if c.Agent != nil && c.Agent.ID != "" {
			text += ", with " + c.Agent.ID
		}
		if err := say("%s\n", text); err != nil {
			return err
		}
	}
	if len(story.Decisions) == 0 {
		return say("Nothing has been decided about it yet.\n")
	}
	for _, d := range story.Decisions {
		if err := say("%s  %s\n", d.At.UTC().Format("15:04:05.000"), d.Text); err != nil {
			return err
		}
		for _, why := range d.Why {
			if err := say("              %s\n", why); err != nil {
				return err
			}
		}
	}
	return nil
}
