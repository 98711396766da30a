// The page's words, in the languages of the desk's first day. Keys are the same in all of them.
const words = {
  en: {
    title: 'Chat', helloTitle: 'How can we help?', helloText: 'Ask your question. You get an answer right here, from our assistant or from a person.',
    write: 'Write a message', send: 'Send', end: 'End chat', endSure: 'End this conversation?', log: 'Conversation',
    connecting: 'Connecting …', online: 'Online', offline: 'No connection. Messages are sent when it is back.', away: 'Reconnecting …',
    bot: 'Assistant', agent: 'Agent', system: 'Notice', you: 'You',
    answering: (n) => `${n} answers`, waiting: 'Waiting for an agent', asked: 'An agent is being asked', ended: 'Conversation ended',
    typing: (n) => `${n} is typing`,
    source: 'Source', sending: 'Sending …', sent: 'Sent', refused: 'Not sent', retry: 'Try again', later: (s) => `Sent again in ${s} s`,
    place: (p, w) => w > 1 ? `You are number ${p} of ${w} in the queue` : 'You are next in the queue',
    wait: (s) => s < 60 ? 'It takes less than a minute.' : `It takes about ${Math.ceil(s / 60)} min.`,
    later: 'Answer me later', laterText: 'You need not wait here. Your place is kept.', laterTurn: 'When it is my turn', laterAt: 'At a time of my choice', laterGo: 'Save',
    kept: 'Your place is kept. You may close this page: you are answered here when it is your turn.', until: (t) => `We get back to you here at ${t}.`, aside: 'We get back to you here.', pending: 'To be continued',
    rate: 'How was it?', rateComment: 'Anything to add?', rateGo: 'Submit', rated: 'Thank you for your rating.', stars: (n) => `${n} of 5`,
    queued: 'You are in the queue for an agent. You can go on writing.', joined: (n) => `${n} has joined the conversation`,
    closed: 'The conversation has ended. Write a message to start a new one.', reopened: 'The conversation goes on',
    person: 'Talk to a person', personText: 'I would like to talk to a person, please.',
    tooLong: (n, m) => `${n} of ${m} characters: shorten the message`,
  },
  zh: {
    title: '在线客服', helloTitle: '您好，有什么可以帮您？', helloText: '请直接输入问题，智能助手或人工客服会在这里为您解答。',
    write: '输入消息', send: '发送', end: '结束会话', endSure: '确定结束本次会话吗？', log: '会话内容',
    connecting: '正在连接…', online: '在线', offline: '网络已断开，恢复后会自动发送消息。', away: '正在重新连接…',
    bot: '智能助手', agent: '人工客服', system: '提示', you: '我',
    answering: (n) => `${n} 为您服务`, waiting: '等待人工客服', asked: '正在为您接通客服', ended: '会话已结束',
    typing: (n) => `${n} 正在输入`,
    source: '参考', sending: '发送中…', sent: '已发送', refused: '发送失败', retry: '重试', later: (s) => `${s} 秒后重新发送`,
    place: (p, w) => w > 1 ? `排队中：第 ${p} 位，共 ${w} 人` : '排队中：下一位就是您',
    wait: (s) => s < 60 ? '预计等待不到 1 分钟。' : `预计等待约 ${Math.ceil(s / 60)} 分钟。`,
    later: '稍后回复我', laterText: '您不必在此等候，我们会保留您的位置。', laterTurn: '轮到我时回复', laterAt: '选择时间', laterGo: '保存',
    kept: '已为您保留位置。您可以关闭此页面，轮到您时客服会在这里回复。', until: (t) => `我们将于 ${t} 在这里回复您。`, aside: '我们稍后会在这里回复您。', pending: '稍后继续',
    rate: '请为本次服务评分', rateComment: '还有什么想说的？', rateGo: '提交', rated: '感谢您的评价。', stars: (n) => `${n} 分，满分 5 分`,
    queued: '正在为您排队转接人工客服，您可以继续留言。', joined: (n) => `${n} 已接入会话`,
    closed: '会话已结束。再次发送消息即可开始新的会话。', reopened: '会话继续',
    person: '转人工客服', personText: '请帮我转人工客服。',
    tooLong: (n, m) => `已输入 ${n} 字，最多 ${m} 字`,
  },
};

// language of the page: asked for in the address, else the browser's first one that there are words for.
export function language(asked) {
  const wanted = [asked, ...(navigator.languages ?? [navigator.language])];
  for (const tag of wanted) {
    const primary = (tag ?? '').toLowerCase().split('-')[0];
    if (words[primary]) return primary;
  }
  return 'en';
}

export function wordsOf(lang) {
  return words[lang];
}
