/* Every error the post can report, once. From this list come enum lt_err, the texts in both
 * languages, the HTTP status and docs/ERRORS.md (tools/gen_docs.py).
 *
 * X(NAME, http, "English", "Chinese", "hint English", "hint Chinese")
 * {0} {1} {2} are replaced by the arguments given to lt_fail(). Keep the groups sorted by layer. */
X(OK, 200, "ok", "成功", "", "")
/* general */
X(INTERNAL, 500, "internal fault: {0}", "内部故障：{0}", "report this with the time shown", "请连同时间报告管理员")
X(NOMEM, 503, "out of memory", "内存不足", "try again; if it persists, give the post more memory",
  "请稍后再试；若持续出现请增加内存")
X(IO, 503, "cannot read or write {0}: {1}", "无法读写 {0}：{1}", "check disk space, permissions and hardware",
  "请检查磁盘空间、权限与硬件")
X(DISK_FULL, 507, "disk full at {0}", "磁盘已满：{0}", "free space; work resumes by itself",
  "请清理空间，系统会自动恢复")
X(CORRUPT, 500, "{0} is damaged: {1}", "{0} 已损坏：{1}", "restore from backup or run a check",
  "请从备份恢复或运行检查")
X(BUSY, 503, "{0} is busy", "{0} 繁忙", "try again in a moment", "请稍后再试")
X(LIMIT, 429, "limit reached for now: {0} (at most {1})", "暂时超出上限：{0}（最多 {1}）",
  "try again later, or ask for a higher limit", "请稍后再试，或申请提高上限")
X(LIMIT_SIZE, 422, "too much at once: {0} (at most {1})", "超出一次的上限：{0}（最多 {1}）",
  "trying again does not help: send, choose or keep less", "重试无效，请减少提交、查询或保留的数量")
X(TIMEOUT, 504, "no answer from {0} within {1}", "{0} 在 {1} 内无应答", "check the connection and try again",
  "请检查连接后重试")
X(UNSUPPORTED, 501, "{0} is not supported", "不支持 {0}",
  "use a program of the version that made it, or one built with it", "请使用生成该数据的版本，或支持该功能的程序")
/* input */
X(BAD_INPUT, 400, "{0}", "{0}", "correct what was sent and send it again", "请更正后重新提交")
X(BAD_JSON, 400, "not valid JSON: line {0}, column {1}: {2}", "JSON 格式错误：第 {0} 行第 {1} 列：{2}",
  "correct the text and send it again", "请更正后重新提交")
X(FIELD_REQUIRED, 422, "{0} is required", "{0} 为必填项", "fill it in", "请填写")
X(FIELD_TYPE, 422, "{0}: {1} expected", "{0}：应为 {1}", "give a value of that type", "请填写该类型的值")
X(FIELD_RANGE, 422, "{0} must be between {1} and {2}", "{0} 应在 {1} 与 {2} 之间", "give a value within the range",
  "请填写范围内的值")
X(FIELD_LENGTH, 422, "{0} is longer than {1} characters", "{0} 超过 {1} 个字符", "shorten it", "请缩短")
X(FIELD_CHOICE, 422, "{0}: {1} is not one of {2}", "{0}：{1} 不在可选值 {2} 之内", "choose one of the values",
  "请从可选值中选择")
X(FIELD_FORMAT, 422, "{0}: {1} is not in the form {2}", "{0}：{1} 不符合格式 {2}", "write it in that form",
  "请按该格式填写")
X(FIELD_UNKNOWN, 422, "unknown field {0}", "未知字段 {0}", "see the OpenAPI file", "请参阅接口说明")
X(FIELD_READONLY, 422, "{0} cannot be changed", "{0} 不可修改",
  "leave it out: the post itself writes it, or it is given only once", "请勿提交该字段：由系统写入，或只能在新建时填写")
X(REF_MISSING, 422, "{0}: no {1} with number {2}", "{0}：不存在编号为 {2} 的{1}", "create it first", "请先创建")
X(DUPLICATE, 409, "{0} {1} exists already", "{0} {1} 已存在", "use another value or change the existing one",
  "请换一个值，或修改已有记录")
X(IN_USE, 409, "{0} is still used by {1}", "{0} 仍被 {1} 使用", "remove those first", "请先解除引用")
X(STALE, 409, "{0} was changed by someone else (version {1})", "{0} 已被他人修改（版本 {1}）", "reload and try again",
  "请刷新后重试")
X(NOT_FOUND, 404, "no {0} {1}", "未找到{0} {1}", "it may have been removed, or your role may not see it",
  "可能已被删除，或您无权查看")
X(BAD_METHOD, 405, "{0} is not possible here", "此处不支持 {0}", "see the OpenAPI file", "请参阅接口说明")
X(TOO_LARGE, 413, "{0} is larger than {1}", "{0} 超过 {1}", "send less at once", "请分批提交")
/* identity */
X(AUTH_REQUIRED, 401, "sign in first", "请先登录", "sign in, or send a token that is valid",
  "请登录，或使用有效的程序令牌")
X(AUTH_FAILED, 401, "name or password is wrong", "用户名或密码错误",
  "after several failures the account is locked for a while", "多次失败后账号会被暂时锁定")
X(AUTH_LOCKED, 429, "the account is locked until {0}", "账号已锁定至 {0}", "wait, or ask an administrator",
  "请等待，或联系管理员")
X(AUTH_EXPIRED, 401, "the session has ended", "会话已结束", "sign in again", "请重新登录")
X(AUTH_CSRF, 403, "the request lacks its page token", "请求缺少页面令牌", "reload the page", "请刷新页面")
X(AUTH_WEAK, 422, "the password is too weak: {0}", "密码强度不足：{0}", "at least 10 characters of three kinds",
  "至少 10 位，含三类字符")
X(AUTH_CHANGE, 403, "the one-time password must be changed first", "请先修改一次性密码",
  "sign in on the page and give a password of your own", "请在网页登录并设置自己的密码")
X(DENIED, 403, "your role may not {0}", "您的角色无权{0}", "ask an administrator", "请联系管理员")
X(DENIED_TERRITORY, 403, "{0} lies outside your territory", "{0} 不在您的辖区内",
  "ask the office it belongs to, or an administrator for a wider territory", "请联系所属单位，或请管理员扩大辖区")
/* flow */
X(FLOW_MOVE, 409, "cannot {0} while {1}", "当前状态为“{1}”，不能{0}", "reload: somebody may have acted already",
  "请刷新：可能已有人处理")
X(FLOW_NEEDS, 422, "{0} needs {1}", "{0}需要填写{1}", "fill it in", "请填写")
/* random draw */
X(DRAW_WEIGHT, 422, "class {1} of {0} has no weight", "{0}类别“{1}”没有权重", "add it to the table of weights",
  "请在权重表中补充")
X(DRAW_PICK, 422, "{0} are to be drawn, the list holds only {1}", "拟抽取 {0} 家，名单仅有 {1} 家",
  "draw fewer or widen the list", "请减少抽取数量或扩大名单")
X(DRAW_TEAM, 422, "only {1} inspectors are free for {0}, a team needs {2}",
  "{0} 仅有 {1} 名无冲突检查人员，每组需 {2} 名", "add inspectors or take the target off the list",
  "请增加检查人员或将其移出名单")
X(DRAW_QUOTA_MIN, 422, "quota of {0}: at least {1} wanted, only {2} there", "{0} 的配额：至少 {1} 家，名单仅有 {2} 家",
  "lower the quota or widen the list", "请降低配额或扩大名单")
X(DRAW_QUOTA_SUM, 422, "the least numbers of all {0} quotas sum to {1}, only {2} are to be drawn",
  "{0}配额下限合计 {1} 家，超过抽取总数 {2} 家", "lower quotas or draw more", "请降低配额或增加抽取数量")
X(DRAW_QUOTA_MAX, 422, "the greatest numbers of the {0} quotas allow only {2}, {1} are to be drawn",
  "{0}配额上限合计仅允许 {2} 家，拟抽取 {1} 家", "raise quotas or draw fewer", "请提高配额或减少抽取数量")
X(DRAW_QUOTA, 422, "the county and industry quotas cannot be met together", "区县配额与行业配额无法同时满足",
  "loosen one of them", "请放宽其中一项")
/* devices and commands */
X(DEVICE_OFFLINE, 409, "device {0} is not connected", "设备 {0} 未连接", "the command can be sent when it is back",
  "设备恢复连接后可再次下发")
/* replay */
X(REPLAY_NEEDED, 409, "this change of rules needs its replay: {0}", "修改规则需先重演：{0}",
  "run a replay of exactly this change over the last 30 days (POST /api/v1/replay), then name it with ?replay=",
  "请先对该变更重演最近 30 天（POST /api/v1/replay），再以 ?replay= 引用其编号")
/* configuration and command line */
X(CONF, 400, "{0}:{1}: {2}", "{0}:{1}：{2}", "see docs/CONFIG.md", "请参阅 docs/CONFIG.md")
X(USAGE, 400, "{0}", "{0}", "see lantian help", "请参阅 lantian help")
X(LISTEN, 500, "cannot listen on {0}: {1}", "无法监听 {0}：{1}", "is the port taken by another program?",
  "端口是否被其他程序占用？")
X(IN_USE_DIR, 409, "{0} is used by another post (process {1})", "{0} 正被另一个进程（{1}）使用", "stop it first",
  "请先停止该进程")
