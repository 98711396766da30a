// What a customer does besides talking: to wait elsewhere, and to rate what has ended.
const $ = (id) => document.getElementById(id);

// setUpAfter gives the function that shows what a state offers.
export function setUpAfter(client, words, lang) {
  const day = new Intl.DateTimeFormat(lang, { dateStyle: 'short', timeStyle: 'short' });
  let conversation = '';
  let score = 0;
  let commented = false;
  for (const [id, text] of Object.entries({
    'later': words.later, 'later-text': words.laterText, 'later-turn': words.laterTurn, 'later-label': words.laterAt, 'later-go': words.laterGo,
    'rating-label': words.rateComment, 'rating-go': words.rateGo,
  })) $(id).textContent = text;
  $('rating-comment').placeholder = words.rateComment;
  $('stars').setAttribute('aria-label', words.rate);

  $('later').addEventListener('click', () => {
    const local = new Date(Date.now() - new Date().getTimezoneOffset() * 60_000);
    $('later-at').min = local.toISOString().slice(0, 16);
    $('later-at').value = new Date(local.getTime() + 3600_000).toISOString().slice(0, 16);
    $('later-form').hidden = !$('later-form').hidden;
  });
  $('later-turn').addEventListener('click', () => { client.callBack(); $('later-form').hidden = true; });
  $('later-form').addEventListener('submit', (e) => {
    e.preventDefault();
    const at = new Date($('later-at').value);
    if (Number.isNaN(at.getTime())) return;
    client.callBack(at.toISOString());
    $('later-form').hidden = true;
  });

  const choose = (n) => {
    score = n;
    [...$('stars').children].forEach((star, i) => { star.ariaChecked = String(i + 1 === n); star.classList.toggle('on', i < n); });
  };
  for (let n = 1; n <= 5; n++) {
    const star = document.createElement('button');
    star.type = 'button';
    star.role = 'radio';
    star.textContent = '★';
    star.setAttribute('aria-label', words.stars(n));
    star.onclick = () => { choose(n); client.rate(n, $('rating-comment').value.trim()); };
    $('stars').append(star);
  }
  $('rating').addEventListener('submit', (e) => {
    e.preventDefault();
    commented = true;
    client.rate(score, $('rating-comment').value.trim());
    $('rating-more').hidden = true;
  });

  return (state) => {
    if (conversation !== state.conversation) {
      conversation = state.conversation;
      commented = false;
      choose(0);
      $('rating-comment').value = '';
    }
    $('later').hidden = state.status !== 'Queued' || state.queue === 'bot' || Boolean(state.callBack);
    if ($('later').hidden) $('later-form').hidden = true;
    const aside = ['Pending', 'CallbackPending'].includes(state.status);
    $('kept').hidden = !aside && !state.callBack;
    $('kept').textContent = !aside ? words.kept : state.until ? words.until(day.format(new Date(state.until))) : words.aside;
    $('rating').hidden = !['Closed', 'WrapUp'].includes(state.status);
    if (state.score) choose(state.score);
    $('rating-title').textContent = state.score ? words.rated : words.rate;
    $('rating-more').hidden = !state.score || commented;
  };
}
