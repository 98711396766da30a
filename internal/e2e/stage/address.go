package stage

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// Address is a URL by which this machine reaches a Service's port 80 until stop
// is called. On the local cluster that is the Service itself; elsewhere a port
// is forwarded, and again when the pod behind it ends.
func (s *Stage) Address(ctx context.Context, namespace, service string) (url string, stop func(), err error) {
	if !s.existing {
		ip, err := s.Kubectl(ctx, nil, "-n", namespace, "get", "service", service, "-o", "jsonpath={.spec.clusterIP}")
		if err != nil {
			return "", nil, err
		}
		return "http://" + ip, func() {}, nil
	}
	port, err := freePort(ctx)
	if err != nil {
		return "", nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	ready := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.forward(ctx, namespace, service, port, ready)
	}()
	select {
	case <-ready:
	case <-ctx.Done():
		cancel()
		<-done
		return "", nil, ctx.Err()
	}
	return fmt.Sprintf("http://127.0.0.1:%d", port), func() { cancel(); <-done }, nil
}

var forwarding = regexp.MustCompile(`^Forwarding from 127\.0\.0\.1`)

// forward runs "kubectl port-forward", and anew when it ends, until ctx ends.
func (s *Stage) forward(ctx context.Context, namespace, service string, port int, ready chan struct{}) {
	for first := true; ctx.Err() == nil; {
		command := s.command(ctx, "hack/kubectl.sh", "-n", namespace, "port-forward", "service/"+service, fmt.Sprintf("%d:80", port))
		if err := watch(command, func(line string) {
			if first && forwarding.MatchString(line) {
				first = false
				close(ready)
			}
		}); err != nil && ctx.Err() == nil {
			_, _ = fmt.Fprintf(s.out, "  port-forward of %s: %v\n", service, err)
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// watch runs a command and hands over its lines.
func watch(command *exec.Cmd, line func(string)) error {
	output, err := command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	scanner := bufio.NewScanner(output)
	for scanner.Scan() {
		line(strings.TrimSpace(scanner.Text()))
	}
	return errors.Join(scanner.Err(), command.Wait())
}

func freePort(ctx context.Context) (int, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	defer func() { _ = listener.Close() }()
	address, ok := listener.Addr().(*net.TCPAddr)
	if !ok {
		return 0, fmt.Errorf("the address %v has no port", listener.Addr())
	}
	return address.Port, nil
}
