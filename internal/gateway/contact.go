package gateway

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/deskfleet/deskfleet/internal/conversation"
	"github.com/deskfleet/deskfleet/internal/gateway/contacttoken"
	"github.com/deskfleet/deskfleet/internal/web/problem"
)

// contact is who speaks, as its token says.
type contact struct {
	ID   string
	Name string
	// Attributes that the token's signer assures of the contact.
	Attributes conversation.Attributes
	// Token to give back to the client.
	Token string
}

// identify reads the token, renews it when it has become old or the name is a new one, and makes a new
// contact when there is none. Errors are problems.
func (g *Gateway) identify(token, name string, addr netip.Addr, now time.Time) (contact, error) {
	keys, err := g.keys.Keys(now)
	if len(keys.Current) == 0 {
		g.keysMissing.Do(func() { g.log.Error("customers are refused, the key of their tokens is missing", "error", err) })
		return contact{}, problem.New(http.StatusServiceUnavailable, problem.CodeUnconfigured,
			"the desk cannot sign contact tokens: "+contacttoken.FileCurrent+" is missing or wrong",
			"the desk's operator mounts the Secret that holds it").RetryAfter(30 * time.Second)
	}
	if token == "" {
		return g.newContact(keys, name, addr, now)
	}
	claims, err := contacttoken.Verify(keys, g.desk, Channel, token, now)
	if err != nil {
		detail := "it was not issued by this desk, or was changed"
		if errors.Is(err, contacttoken.ErrExpired) {
			detail = "it has expired"
		}
		return contact{}, problem.New(http.StatusUnauthorized, problem.CodeToken, detail, "forget the token and begin without one")
	}
	c := contact{ID: claims.Contact, Name: claims.Name, Attributes: claims.Attributes, Token: token}
	if name != "" {
		c.Name = name
	}
	if c.Name != claims.Name || claims.Age(now) > contacttoken.RenewAfter {
		return c, g.issue(keys, &c, now)
	}
	return c, nil
}

func (g *Gateway) newContact(keys contacttoken.Keys, name string, addr netip.Addr, now time.Time) (contact, error) {
	if addr.IsValid() {
		n := g.opts.NewContactsPerMinute
		if wait, ok := g.contactRate.Take(addr.String(), n, n, now); !ok {
			return contact{}, problem.New(http.StatusTooManyRequests, problem.CodeRate,
				"too many new contacts come from this address", "keep and send the token that a contact was given").RetryAfter(wait)
		}
	}
	c := contact{ID: newContactID(), Name: name}
	return c, g.issue(keys, &c, now)
}

func (g *Gateway) issue(keys contacttoken.Keys, c *contact, now time.Time) error {
	token, err := contacttoken.Sign(keys, g.desk, contacttoken.Claims{
		Contact: c.ID, Channel: Channel, Name: c.Name, Attributes: c.Attributes,
	}, now)
	if err != nil {
		return err
	}
	c.Token = token
	return nil
}

// newContactID is random: contacts' ids stand in subjects and events and tell nothing.
func newContactID() string {
	var raw [15]byte
	_, _ = rand.Read(raw[:]) // never fails
	return "c-" + strings.ToLower(base32.StdEncoding.EncodeToString(raw[:]))
}
