// <script src="https://DESK/widget.js" async data-label="Chat" data-lang="en" data-color="#0f766e"></script>
(() => {
  const me = document.currentScript, d = me.dataset, desk = new URL(me.src).origin;
  const color = d.color || '#0f766e', base = 'position:fixed;z-index:2147483000;border:0;right:20px;';
  const start = () => {
    let frame;
    const button = document.createElement('button'), badge = document.createElement('span');
    button.ariaLabel = d.label || 'Chat';
    button.ariaExpanded = 'false';
    button.style.cssText = base + 'bottom:20px;width:56px;height:56px;border-radius:50%;cursor:pointer;background:url(' + desk + '/assets/bubble.svg) center/30px no-repeat ' + color + ';box-shadow:0 6px 20px #0004';
    badge.style.cssText = 'position:absolute;top:-4px;right:-4px;min-width:20px;height:20px;border-radius:10px;background:#dc2626;color:#fff;font:12px/20px sans-serif';
    badge.hidden = true;
    button.append(badge);
    const toggle = (open) => {
      if (open && !frame) {
        frame = document.createElement('iframe');
        frame.title = button.ariaLabel;
        frame.src = desk + '/?embed=1' + (d.lang ? '&lang=' + encodeURIComponent(d.lang) : '');
        document.body.append(frame);
      }
      frame.style.cssText = base + 'bottom:88px;width:min(400px,calc(100vw - 40px));height:min(640px,calc(100vh - 108px));border-radius:18px;box-shadow:0 12px 48px #0005;background:#fff;display:' + (open ? 'block' : 'none');
      button.ariaExpanded = String(open);
      if (open) frame.contentWindow.postMessage({ deskfleet: 'opened' }, desk);
    };
    button.onclick = () => toggle(button.ariaExpanded !== 'true');
    addEventListener('message', (e) => {
      if (e.origin !== desk || e.data?.deskfleet !== 'unread') return;
      badge.textContent = e.data.count;
      badge.hidden = !e.data.count;
    });
    document.body.append(button);
  };
  document.body ? start() : addEventListener('DOMContentLoaded', start);
})();
