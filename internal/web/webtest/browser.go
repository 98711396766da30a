package webtest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"

	"github.com/deskfleet/deskfleet/internal/testing/eventually"
)

// shots names the folder that screenshots are written to; none are written without it.
const shots = "DESKFLEET_SCREENSHOTS"

// Browser is a headless Chromium with one page. Scripts that fail and files that the page's policy keeps
// out fail the test.
type Browser struct {
	T   testing.TB
	ctx context.Context
	// page that a frame is in; nil for a page.
	page *Browser
}

// OpenBrowser starts a browser with a fresh profile, or skips the test when there is none.
func OpenBrowser(t testing.TB, width, height int64, language string) *Browser {
	t.Helper()
	if testing.Short() {
		t.Skip("browser tests are left out by -short")
	}
	path := chromium()
	if path == "" {
		t.Skip("no chromium is installed: apt-get install chromium to run the browser tests")
	}
	opts := []chromedp.ExecAllocatorOption{ //nolint:prealloc // the flags below are added one by one
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(int(width), int(height)),
		chromedp.Flag("lang", language), chromedp.Flag("accept-lang", language),
	}
	for _, flag := range []string{
		"headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run", "disable-background-networking",
		"disable-component-update", "disable-sync", "disable-extensions", "disable-dev-shm-usage", "mute-audio",
		"force-prefers-reduced-motion", "hide-scrollbars",
	} {
		opts = append(opts, chromedp.Flag(flag, true))
	}
	allocator, end := chromedp.NewExecAllocator(context.WithoutCancel(t.Context()), opts...)
	ctx, closeBrowser := chromedp.NewContext(allocator)
	b := &Browser{T: t, ctx: ctx}
	watched := func() {}
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the browser's end, so that its profile can be removed
		closeBrowser()
		end()
		watched()
	})
	if err := chromedp.Do(ctx); err != nil { // the browser ends with the context that it was started with
		t.Fatalf("start %s: %v", path, err)
	}
	watched = b.watch()
	b.Run(chromedp.EmulateViewport(width, height))
	return b
}

// watch fails the test when a script fails or the page's policy keeps something out. What it returns waits
// for its end.
func (b *Browser) watch() (wait func()) {
	messages := chromedp.Console(b.ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleException || strings.Contains(m.Text, "Content Security Policy") {
				b.T.Errorf("the page says %s: %s", m.Type, m.Text)
			}
		}
	}()
	return func() { <-done }
}

func chromium() string {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome", "chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	return ""
}

// Frame attaches to the frame of the page that shows an address of another site.
func (b *Browser) Frame(address string) *Browser {
	b.T.Helper()
	var found target.ID
	eventually.True(b.T, "the frame is attached", func() bool {
		targets, err := chromedp.Targets(b.ctx)
		if err != nil {
			b.T.Fatal(err)
		}
		for _, info := range targets {
			if info.Type == "iframe" && strings.HasPrefix(info.URL, address) {
				found = info.TargetID
			}
		}
		return found != ""
	})
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(found))
	b.T.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		b.T.Fatal(err)
	}
	return &Browser{T: b.T, ctx: ctx, page: b}
}

// Run runs actions and fails the test with their error.
func (b *Browser) Run(actions ...chromedp.Action[chromedp.Void]) {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, eventually.Limit)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		b.fail(err.Error())
	}
}

func (b *Browser) fail(why string) {
	b.T.Helper()
	b.Shot("failed-" + strings.ReplaceAll(b.T.Name(), "/", "-"))
	b.T.Fatal(why)
}

// Eval evaluates an expression in the page.
func Eval[T any](b *Browser, expression string) T {
	b.T.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, eventually.Limit)
	defer cancel()
	v, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.fail(expression + ": " + err.Error())
	}
	return v
}

// Go opens an address.
func (b *Browser) Go(url string) { b.T.Helper(); b.Run(chromedp.Navigate(url)) }

// Type types into the element of a selector, behind what is there.
func (b *Browser) Type(selector, text string) {
	b.T.Helper()
	b.Run(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.SendKeys(chromedp.CSS(selector), text))
}

// Enter types a text and then the Enter key, as a keyboard does: a page that handles the key gets no
// character besides.
func (b *Browser) Enter(selector, text string) {
	b.T.Helper()
	b.Type(selector, text)
	for _, kind := range []input.DispatchKeyEventType{input.DispatchKeyEventTypeRawKeyDown, input.DispatchKeyEventTypeKeyUp} {
		b.Run(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
			_, err := cdp.Call(ctx, t, input.DispatchKeyEvent, input.DispatchKeyEventParams{
				Type: kind, Key: "Enter", Code: "Enter", WindowsVirtualKeyCode: 13, NativeVirtualKeyCode: 13,
			})
			return chromedp.Void{}, err
		})
	}
}

// Click clicks on the element of a selector.
func (b *Browser) Click(selector string) {
	b.T.Helper()
	b.Run(chromedp.WaitVisible(chromedp.CSS(selector)), chromedp.Click(chromedp.CSS(selector)))
}

// Sees waits until the visible text of the page holds all the given ones.
func (b *Browser) Sees(texts ...string) {
	b.T.Helper()
	deadline := time.Now().Add(eventually.Limit)
	for _, text := range texts {
		for page := b.Text(); !strings.Contains(page, text); page = b.Text() {
			if time.Now().After(deadline) {
				b.fail(fmt.Sprintf("the page does not show %q but\n%s", text, page))
			}
			b.Run(chromedp.Sleep(10 * time.Millisecond))
		}
	}
}

// Text is the visible text of the page now.
func (b *Browser) Text() string {
	b.T.Helper()
	return Eval[string](b, "document.body?.innerText ?? ''")
}

// Count of the elements of a selector.
func (b *Browser) Count(selector string) int {
	b.T.Helper()
	return Eval[int](b, fmt.Sprintf("document.querySelectorAll(%q).length", selector))
}

// Shot writes a screenshot for people to look at, if a folder for them is set.
func (b *Browser) Shot(name string) {
	b.T.Helper()
	dir := os.Getenv(shots)
	if dir == "" {
		return
	}
	if b.page != nil {
		b = b.page
	}
	ctx, cancel := context.WithTimeout(b.ctx, eventually.Limit)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), png, 0o600) //nolint:gosec // the folder is the developer's, the name the test's
	}
	if err != nil {
		b.T.Logf("no screenshot: %v", err)
	}
}
