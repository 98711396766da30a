package link

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/deskfleet/deskfleet/api/v1alpha1"
	"github.com/deskfleet/deskfleet/internal/credentials"
)

// secretName is the Secret with the managers' certificate and its authority.
const secretName = "deskfleet-link-tls" //nolint:gosec // a name, no secret

const (
	// lookAgain is how often a manager looks for what another one has renewed.
	lookAgain = time.Hour
	// tries that a manager makes when others make the Secret at the same time.
	tries = 5
)

// keeper keeps the certificate of all managers. Whichever manager comes first
// makes it; the API server decides who that is.
type keeper struct {
	reader    client.Reader // past the cache, which holds our desks' Secrets only
	writer    client.Client
	namespace string
	host      string
	now       func() time.Time
	log       *slog.Logger
	// changed is called when the authority is another one.
	changed func()

	mu          sync.Mutex
	certificate *tls.Certificate
	ca          []byte
	renewAt     time.Time
}

// Certificate to serve with.
func (k *keeper) Certificate() (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.certificate == nil {
		return nil, errors.New("the link has no certificate yet")
	}
	return k.certificate, nil
}

// CA is the bundle that desks trust.
func (k *keeper) CA() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return string(k.ca)
}

// ensure reads the Secret, and makes or renews what is due. What is good is not written.
func (k *keeper) ensure(ctx context.Context) error {
	var err error
	for range tries {
		if err = k.once(ctx); !apierrors.IsConflict(err) && !apierrors.IsAlreadyExists(err) {
			return err
		}
		// Another manager was faster: what it made is as good.
	}
	return err
}

func (k *keeper) once(ctx context.Context) error {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: k.namespace, Name: secretName}}
	err := k.reader.Get(ctx, client.ObjectKeyFromObject(secret), secret)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("read Secret %s: %w", secretName, err)
	}
	there := err == nil
	serving, err := credentials.EnsureServing(secretName, []string{k.host}, secret.Data, k.now())
	if err != nil {
		return err
	}
	if serving.Changed {
		if err := k.write(ctx, secret, serving.Content, there); err != nil {
			return err
		}
	}
	return k.take(serving)
}

func (k *keeper) write(ctx context.Context, secret *corev1.Secret, content map[string][]byte, there bool) error {
	secret.Data = maps.Clone(content)
	if there {
		// With the resource version that was read: of two managers that renew at the same time one is refused.
		if err := k.writer.Update(ctx, secret, client.FieldOwner(v1alpha1.FieldOwner)); err != nil {
			return fmt.Errorf("update Secret %s: %w", secretName, err)
		}
		k.log.InfoContext(ctx, "link certificate renewed", "secret", secretName)
		return nil
	}
	secret.Labels = map[string]string{v1alpha1.LabelName: v1alpha1.ManagedByDeskfleet, v1alpha1.LabelComponent: "manager"}
	if err := k.writer.Create(ctx, secret, client.FieldOwner(v1alpha1.FieldOwner)); err != nil {
		return fmt.Errorf("create Secret %s: %w", secretName, err)
	}
	k.log.InfoContext(ctx, "link certificate made", "secret", secretName)
	return nil
}

func (k *keeper) take(s *credentials.Serving) error {
	pair, err := tls.X509KeyPair(s.Content[credentials.FileCertificate], s.Content[credentials.FilePrivateKey])
	if err != nil {
		return fmt.Errorf("certificate of Secret %s: %w", secretName, err)
	}
	k.mu.Lock()
	former := k.ca
	k.certificate, k.ca, k.renewAt = &pair, s.Content[credentials.FileCA], s.RenewAt
	k.mu.Unlock()
	if former != nil && !bytes.Equal(former, s.Content[credentials.FileCA]) && k.changed != nil {
		k.changed()
	}
	return nil
}

// run keeps the certificate good until ctx ends, in every manager.
func (k *keeper) run(ctx context.Context) error {
	timer := time.NewTimer(k.next())
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
		}
		if err := k.ensure(ctx); err != nil && ctx.Err() == nil {
			k.log.ErrorContext(ctx, "link certificate was not renewed, it is tried again", "error", err)
		}
		timer.Reset(k.next())
	}
}

func (k *keeper) next() time.Duration {
	k.mu.Lock()
	defer k.mu.Unlock()
	return min(lookAgain, max(time.Minute, k.renewAt.Sub(k.now())))
}
