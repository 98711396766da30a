const words = {
  en: {
    title: 'Console', signIn: 'Sign in', signInText: 'Sign in with the token that the desk’s operator gave you.', token: 'Token', signOut: 'Sign out',
    available: 'Available', away: 'Away', connecting: 'Connecting …', offline: 'Reconnecting …', waitingRouter: 'Signing on …', signedOn: (n, b, s) => `${n} · ${b} of ${s} slots`, notOn: (n) => `${n} · not taking conversations`,
    offers: 'Offered to you', own: 'Your conversations', none: 'None at the moment.', pick: 'Accept an offer, or choose a conversation.',
    accept: 'Accept', decline: 'Decline', seconds: (s) => `${s} s`, waited: (m) => `waits since ${m}`, customer: 'Customer',
    reply: 'Reply', note: 'Note to agents', write: 'Write to the customer', writeNote: 'Only agents see this', send: 'Send', back: 'Back',
    handOff: 'Hand off', close: 'Close', cancel: 'Cancel', closeTitle: 'Close the conversation', disposition: 'Outcome', comment: 'Comment', queue: 'Queue', reason: 'Why? The next agent reads this first.',
    dispositions: { solved: 'Solved', unsolved: 'Not solved', followUp: 'Follow-up needed', noAnswer: 'Customer did not answer', spam: 'Spam' },
    handOffReason: 'Why it came to a person', summary: 'Summary', tried: 'Tried so far', intents: 'Topics', contact: 'Contact', verification: 'Identity check', why: 'Assignment', none2: 'none',
    bot: 'Assistant', agent: 'Agent', system: 'Desk', typing: (n) => `${n} is typing …`, source: 'Source', sending: 'sending', refused: 'not sent', unsure: 'no sure answer', asksPerson: 'asks for a person',
    report: 'Reports', reportBy: { agents: 'Agents', queues: 'Queues' }, reportRange: 'Time', reportDays: (n) => (n === 1 ? 'Last 24 hours' : `Last ${n} days`), reportTable: 'Download (CSV)', close2: 'Close',
    reportColumns: { name: 'Name', conversations: 'Handled', abandonmentShare: 'Abandoned', serviceLevel: 'Service level', wait: 'Wait', firstResponse: 'First response', handle: 'Handle time', transfers: 'Transfers', reopened: 'Reopened', firstContactResolution: 'Resolved first', deflectionShare: 'Deflected', csat: 'CSAT', complaints: 'Complaints', occupancy: 'Occupancy' },
    reportNone: 'Nothing has ended in this time.', reportNote: 'Times are mean / median / 90th percentile. Conversations count when they have ended. CSAT is the share of ratings of 4 and 5, occupancy that of the time with a conversation.',
    more: 'More', tags: 'Tags', tagsLabel: 'Words with blanks between them', save: 'Save', postpone: 'Put off or call back', until: 'Until', promised: 'Tell the customer this time', merge: 'Merge with another',
    mergeText: 'This conversation ends, and the other one gets what was said here. The customer is told.', into: 'Goes on in', mergeNone: 'You have no other conversation.', colleague: 'Colleague', anybody: 'Anybody', summaryLabel: 'A note for who takes it',
    opened: 'Open conversations', ownOpened: 'Put aside', openedNone: 'None.', allQueues: 'All queues', watch: 'Watch', takeOver: 'Take over', unwatch: 'Stop watching', watched: 'You watch', has: 'With', placeKept: 'Waits for a call and may not be here.',
    statuses: { Queued: 'waiting', Bot: 'with the assistant', Offered: 'offered', Active: 'in talk', WrapUp: 'in wrap-up', Pending: 'put aside', CallbackPending: 'to be called back' }, untilShort: (t) => `until ${t}`,
    overflow: (n, held) => [n && `overflow ${n}`, held.length && `held ${held.join(', ')}`].filter(Boolean).join(', '), holdStep: 'Hold', releaseStep: 'Release', holdFor: 'For', holdReason: 'Why? It stands in the audit log.', holdSpan: (m) => (m < 60 ? `${m} minutes` : m === 60 ? '1 hour' : `${m / 60} hours`), heldBy: (n, t, r) => `held by ${n} until ${t}: ${r}`, stepReached: 'applies now', stepFrom: (t) => `from a predicted wait of ${t}`, reserveCalled: (n) => `reserve ${n} is called in`, reserveFree: (n) => `reserve of ${n}`, callReserve: 'Call in',
    stepActions: { Pool: 'add pool', Queue: 'move to queue', Bot: 'assistant first', Callback: 'callback', Message: 'message' },
    waiting: 'waiting', lost: 'This conversation is no longer yours:', find: 'Search', findText: 'Words, in any order', findTag: 'Tag', findNone: 'Nothing found.', missedOffer: 'You were set away:', wrongToken: 'This token is not accepted.',
  },
  zh: {
    title: '坐席工作台', signIn: '登录', signInText: '请使用管理员提供的令牌登录。', token: '令牌', signOut: '退出',
    available: '在线', away: '离开', connecting: '正在连接…', offline: '正在重新连接…', waitingRouter: '正在签入…', signedOn: (n, b, s) => `${n} · 已占用 ${b}/${s}`, notOn: (n) => `${n} · 未签入`,
    offers: '待接入', own: '我的会话', none: '暂无。', pick: '请接入新的会话，或从左侧选择会话。',
    accept: '接入', decline: '拒绝', seconds: (s) => `${s} 秒`, waited: (m) => `${m} 开始排队`, customer: '客户',
    reply: '回复', note: '内部备注', write: '回复客户', writeNote: '仅坐席可见', send: '发送', back: '返回',
    handOff: '转交', close: '结束', cancel: '取消', closeTitle: '结束会话', disposition: '处理结果', comment: '备注', queue: '队列', reason: '转交原因（下一位坐席会先看到）',
    dispositions: { solved: '已解决', unsolved: '未解决', followUp: '需要跟进', noAnswer: '客户无回应', spam: '垃圾信息' },
    handOffReason: '转人工原因', summary: '摘要', tried: '已尝试的答案', intents: '主题', contact: '客户', verification: '身份核验', why: '分配原因', none2: '无',
    bot: '智能助手', agent: '坐席', system: '系统', typing: (n) => `${n} 正在输入…`, source: '参考', sending: '发送中', refused: '发送失败', unsure: '无确切答案', asksPerson: '要求人工',
    report: '报表', reportBy: { agents: '坐席', queues: '队列' }, reportRange: '时间', reportDays: (n) => (n === 1 ? '最近 24 小时' : `最近 ${n} 天`), reportTable: '下载（CSV）', close2: '关闭',
    reportColumns: { name: '名称', conversations: '处理量', abandonmentShare: '放弃率', serviceLevel: '服务水平', wait: '等待时长', firstResponse: '首次响应', handle: '处理时长', transfers: '转交', reopened: '重新打开', firstContactResolution: '首次解决率', deflectionShare: '机器人解决率', csat: '满意度', complaints: '投诉', occupancy: '占用率' },
    reportNone: '此时间段内没有结束的会话。', reportNote: '时长依次为平均值 / 中位数 / 90 分位。会话结束后计入。满意度为 4、5 分评价的占比，占用率为有会话时间的占比。',
    more: '更多', tags: '标签', tagsLabel: '多个标签用空格分隔', save: '保存', postpone: '稍后处理或回拨', until: '时间', promised: '将此时间告知客户', merge: '合并到其他会话',
    mergeText: '本会话将结束，其内容会转入另一会话，并告知客户。', into: '合并到', mergeNone: '您没有其他会话。', colleague: '同事', anybody: '任意坐席', summaryLabel: '给接手坐席的备注',
    opened: '进行中的会话', ownOpened: '稍后处理', openedNone: '暂无。', allQueues: '所有队列', watch: '旁听', takeOver: '接管', unwatch: '停止旁听', watched: '正在旁听', has: '当前坐席', placeKept: '客户等待回拨，可能不在线。',
    statuses: { Queued: '排队中', Bot: '智能助手', Offered: '待接入', Active: '会话中', WrapUp: '整理中', Pending: '稍后处理', CallbackPending: '等待回拨' }, untilShort: (t) => `至 ${t}`,
    overflow: (n, held) => [n && `溢出 ${n} 级`, held.length && `手动 ${held.join('、')}`].filter(Boolean).join('，'), holdStep: '手动启用', releaseStep: '取消手动', holdFor: '时长', holdReason: '原因（将写入审计日志）', holdSpan: (m) => (m < 60 ? `${m} 分钟` : `${m / 60} 小时`), heldBy: (n, t, r) => `${n} 手动启用至 ${t}：${r}`, stepReached: '正在生效', stepFrom: (t) => `预计等待达到 ${t} 时`, reserveCalled: (n) => `后备梯队 ${n} 已召集`, reserveFree: (n) => `后备 ${n} 席`, callReserve: '召集',
    stepActions: { Pool: '增加坐席组', Queue: '转入队列', Bot: '机器人优先', Callback: '回拨', Message: '提示消息' },
    waiting: '排队', lost: '该会话已不属于您：', find: '搜索', findText: '关键词，顺序不限', findTag: '标签', findNone: '没有找到。', missedOffer: '您已被设为离开：', wrongToken: '令牌无效。',
  },
};

export function language(asked) {
  for (const tag of [asked, ...(navigator.languages ?? [navigator.language])]) {
    const primary = (tag ?? '').toLowerCase().split('-')[0];
    if (words[primary]) return primary;
  }
  return 'en';
}

export function wordsOf(lang) { return words[lang]; }
