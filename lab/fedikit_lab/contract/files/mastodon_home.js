// What upstream's web client does with the API, as far as posting a picture needs it.
const state = JSON.parse(document.querySelector('#initial-state').textContent);
const feed = document.querySelector('[role=feed]');
const headers = state.access_token ? { Authorization: `Bearer ${state.access_token}` } : {};

const make = (name, classes, ...children) => {
  const element = document.createElement(name);
  if (classes) element.className = classes;
  element.append(...children);
  return element;
};

const ask = async (path, options = {}) => {
  const response = await fetch(path, { headers, ...options });
  const answer = await response.json();
  if (!response.ok) throw new Error(answer.error);
  return { status: response.status, answer };
};

const drawMedia = (attachment) => {
  const link = make('a', 'media-gallery__item-thumbnail');
  link.href = attachment.url;
  const picture = make(attachment.type === 'video' ? 'video' : 'img');
  picture.src = attachment.preview_url;
  link.append(picture);
  return make('div', 'media-gallery__item', link);
};

const draw = (status) => {
  const article = make('article');
  article.dataset.id = status.id;
  const name = make('strong', 'display-name__html', status.account.display_name || status.account.acct);
  const account = make('span', 'display-name__account', ` @${status.account.acct}`);
  const author = make('a', 'status__display-name', name, account);
  author.href = status.account.url;
  const content = make('div', 'status__content');
  content.innerHTML = `<div class="status__content__text">${status.content}</div>`;
  const body = make('div', 'status', make('div', 'status__info', author), content);
  if (status.media_attachments.length) body.append(make('div', 'media-gallery', ...status.media_attachments.map(drawMedia)));
  article.append(make('div', 'status__wrapper', body));
  return article;
};

const composing = (form) => {
  const [text, file, button, uploads] = ['textarea', 'input[type=file]', 'button[type=submit]', '.compose-form__uploads']
    .map((selector) => form.querySelector(selector));
  const problem = form.querySelector('.notification-bar');
  let attached = [];
  let busy = 0;

  const refresh = () => {
    button.disabled = busy > 0 || !(text.value.trim() || attached.length);
  };

  const during = async (work) => {
    busy += 1;
    problem.hidden = true;
    refresh();
    try {
      await work();
    } catch (error) {
      problem.textContent = error.message;
      problem.hidden = false;
    }
    busy -= 1;
    refresh();
  };

  const processed = async (id) => {
    const { status, answer } = await ask(`/api/v1/media/${id}`);
    if (status === 200) return answer;
    await new Promise((resolve) => setTimeout(resolve, 500));
    return processed(id);
  };

  const upload = async () => {
    const body = new FormData();
    body.append('file', file.files[0]);
    file.value = '';
    const { answer } = await ask('/api/v2/media', { method: 'POST', body });
    const media = await processed(answer.id);
    attached.push(media);
    const thumbnail = make('div', 'compose-form__upload__thumbnail', drawMedia(media).querySelector('img, video'));
    uploads.append(make('div', 'compose-form__upload', thumbnail));
  };

  const publish = async () => {
    const body = JSON.stringify({ status: text.value, media_ids: attached.map((media) => media.id) });
    const options = { method: 'POST', body, headers: { ...headers, 'Content-Type': 'application/json' } };
    const { answer } = await ask('/api/v1/statuses', options);
    feed.prepend(draw(answer));
    text.value = '';
    attached = [];
    uploads.replaceChildren();
  };

  form.querySelector('.compose-form__upload-button').addEventListener('click', () => file.click());
  file.addEventListener('change', () => file.files.length && during(upload));
  text.addEventListener('input', refresh);
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    during(publish);
  });
};

document.querySelectorAll('.compose-form').forEach(composing);
ask(feed.dataset.source).then(({ answer }) => feed.append(...answer.map(draw)));
