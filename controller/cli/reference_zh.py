"""docs/settings.zh-CN.md: the Chinese words of the reference, each by the English ones that the settings have.

A setting whose English words are new or have changed has no Chinese here until someone writes it: the page cannot be
printed without, and the error says which words.
"""

from __future__ import annotations

import re

from pydantic.fields import FieldInfo

from controller.fields import NAME_RULE, allowed_text, default_text


def cells(field: FieldInfo) -> str:
    """A setting's default, meaning and rule, as cells of the table. Raises KeyError: English with no Chinese here."""
    default, meaning = default_text(field), MEANINGS[str(field.description)]
    return f"`{DEFAULTS.get(default, default)}` | {meaning}取值：{_allowed(allowed_text(field))}。"


def _allowed(text: str) -> str:
    if text in ALLOWED:
        return ALLOWED[text]
    for form, chinese in FORMS:
        if found := re.fullmatch(form, text):
            return chinese.format(*map(_allowed, found.groups()))
    if re.fullmatch(r"[0-9.]+[kmg]?|(`[^`]+`(, |$))+", text):
        return text.replace("`, `", "`、`")
    raise KeyError(text)


PAGE = """\
# 设置

[English](settings.md)

<!-- 由 `matlabctl settings --reference zh` 写成；请改 controller/cli/reference_zh.py，不要改这一页。 -->

一台机器的运维者所决定的事。谁有会话不在这里：那是期望状态。

每项设置在四处查找，后面的优先：

1. 内置的默认值，
2. 工作目录中的文件 `controller.yaml`，或 `--config` 指定的文件（可从 `controller.example.yaml` 开始），
3. 下表所列的环境变量，
4. 命令行参数：设置的名称，以连字符连接，例如 `--api-port 8081`。

`matlabctl settings` 显示每项的值及其来源。文件中有未知的名称，或有未知的 `MCM_` 环境变量，都是错误，不会被忽略：
`MCM_STATE_DIR` 若拼写错误，就会在第一个控制器的状态上启动第二个。（以 `MCM_TEST_` 开头的变量留给测试。）
文件中的相对路径从该文件所在的目录算起，其他相对路径从工作目录算起；`~` 是主目录。
大小以字节计，或写成带 `k`、`m`、`g` 的数字，与 Docker 相同（每级 1024）。

两个控制器可以在同一台机器上并行运行，只要它们的 `instance`、`container_prefix`、`api_port`、`desired_state`、
`state_dir` 和 `data_root` 各不相同，会话端口也不重叠。

| 设置 | 默认值 | 含义 |
|---|---|---|
{settings}

## 期望状态的其他存放处

在 `controller.yaml` 中，`desired_state` 可以不是路径，而是含有以下之一的映射：

| 键 | 默认值 | 含义 |
|---|---|---|
{elsewhere}

`git` 是由以下各键组成的映射；用法见 [GitOps](gitops.zh-CN.md)：

| 键 | 默认值 | 含义 |
|---|---|---|
{git}

```yaml
desired_state:
  git: {{url: "ssh://git@git.example.org/lab.git", branch: main, path: wish.yaml, write: true}}
```

## 配置档

配置档说明会话可以得到什么。仅可在文件中设置。每个配置档可以省略其中任何一项：

| 键 | 默认值 | 含义 |
|---|---|---|
{profile}

```yaml
profiles:
  standard: {{cpus: 2, memory: 4g}}
  large:
    cpus: 4
    memory: 8g
    env: {{OMP_NUM_THREADS: "4"}}
```

## swarm 各节点上的数据

`swarm_volume` 是由以下各键组成的映射，仅可在文件中设置；用法见[多台机器](scale.zh-CN.md#由节点挂载的数据)：

| 键 | 默认值 | 含义 |
|---|---|---|
{volume}

```yaml
swarm_volume: {{type: nfs, options: "addr=10.0.0.9,rw,nfsvers=4.2,hard", device: ":/export/matlab"}}
```

## swarm 各节点的引擎

`swarm_nodes` 是由以下各键组成的映射，仅可在文件中设置；如何准备见[多台机器](scale.zh-CN.md#直接询问节点)：

| 键 | 默认值 | 含义 |
|---|---|---|
{nodes}

## 策略

配置档可以提供什么，以及所有会话合计可以有多少。仅可在文件中设置。不写则一切都允许：

| 键 | 默认值 | 含义 |
|---|---|---|
{policy}

`per_session` 可以有以下各键。若有配置档超过其中之一，或使用未列出的镜像，控制器不会启动，并说明原因：

| 键 | 默认值 | 含义 |
|---|---|---|
{per_session}

`total` 可以有以下各键。每位会话应当运行的用户都计入，按配置档的限额计算。期望状态的改动若超过它，
不论由谁提出都会被拒绝；详见[期望状态](declared-state.zh-CN.md#运维者允许什么)：

| 键 | 默认值 | 含义 |
|---|---|---|
{total}

```yaml
policy:
  images: ["matlab-session:*", "registry.example.org/lab/matlab@sha256:*"]
  per_session: {{cpus: 8, memory: 16g, shm: 8g}}
  total: {{sessions: 40, cpus: 96, memory: 200g}}
```

## Webhook

事件发生时发送到哪里。仅可在文件中设置，各有自己的名称；发送什么、如何签名、无人接收时怎样，见[运维](operations.zh-CN.md#webhook)：

| 键 | 默认值 | 含义 |
|---|---|---|
{webhook}

```yaml
webhooks:
  platform: {{url: "https://platform.example.org/mcm", secret_file: webhook-secret}}
  chat:
    url: https://hooks.example.org/services/T0/B0/x
    format: slack
    reasons: [ActionFailed, NotReady, OverQuota, Lost, Reached, Held, Refused]
```
"""

DEFAULTS = {
    "none": "无",
    "the controller's own; 1000:1000 where that is root": "控制器自己的；控制器为 root 时是 1000:1000",
}

FORMS = (
    ("(.+), or null", "{}，或 null"),
    ("null, or (.+)", "null，或{}"),
    ("empty, or (.+)", "空，或{}"),
    ("an absolute path, or (.+)", "绝对路径，或{}"),
    ("a whole number from (.+) to (.+)", "{} 到 {} 的整数"),
    ("a number of seconds from (.+) to (.+)", "{} 到 {} 的秒数"),
    ("a number of percent from (.+) to (.+)", "{} 到 {} 的百分数"),
    ("a number from (.+) to (.+)", "{} 到 {} 的数"),
    ("a size from (.+), such as (.+)", "不小于 {} 的大小，例如 {}"),
    ("a size such as (.+)", "大小，例如 {}"),
    ("an address such as (.+)", "地址，例如 {}"),
    ("text such as (`[^`]+`)", "文字，例如 {}"),
    ("a list of (`.+`)", "列表，其中可以有 {}"),
    ("a mapping with any of (.+)", "映射，可以有 {}"),
    ("a mapping with (.+) and perhaps (.+)", "映射，须有 {}，可以有 {}"),
    (r"a mapping of names \((.+)\) to webhooks", "从名称（{}）到 webhook 的映射"),
    (r"a mapping of at least one name \((.+)\) to a profile", "从名称（至少一个；{}）到配置档的映射"),
    ("(`.+`) or (`[^`]+`)", "{} 或 {}"),
    ("(`.+`) and (`[^`]+`)", "{} 和 {}"),
)
"""What settings may be, where only numbers and names differ; what stands in brackets is put into Chinese likewise."""

ALLOWED = {
    NAME_RULE: "1 到 63 个字母、数字、`-`、`_` 和 `.`，两端须为字母或数字",
    "2 to 40 letters, digits, `-`, `_` and `.`, starting with a letter or digit and not ending in a digit": (
        "2 到 40 个字母、数字、`-`、`_` 和 `.`，以字母或数字开头，不以数字结尾"
    ),
    "true or false": "true 或 false",
    "an IP address": "IP 地址",
    "`localhost` or an IP address": "`localhost` 或 IP 地址",
    "`uid:gid` in numbers, neither of them 0 (quote it in the file)": (
        "数字形式的 `uid:gid`，两者都不为 0（在文件中请加引号）"
    ),
    "a path": "路径",
    "a path of at most 100 bytes": "至多 100 字节的路径",
    "a path, or a mapping with either `git` or `sqlite`": "路径，或含有 `git` 与 `sqlite` 之一的映射",
    "a relative path with `/` between its parts and no `..`": "相对路径，各部分之间为 `/`，不含 `..`",
    "empty for no signature, or a path": "空（不签名），或路径",
    "names and addresses with spaces between them": "以空格分隔的名称和地址",
    "addresses and networks such as `10.0.0.0/8 192.168.7.5`, with spaces between them": (
        "以空格分隔的地址和网络，例如 `10.0.0.0/8 192.168.7.5`"
    ),
    "sources with spaces between them, such as `'self' https://platform.example.org`": (
        "以空格分隔的来源，例如 `'self' https://platform.example.org`"
    ),
    "a list of IPv4 addresses, networks of such (`10.1.0.0/16`) or names, each with `:port` behind it or with all its "
    "ports; none of 169.254.0.0/16": (
        "列表，其中为 IPv4 地址、IPv4 网络（`10.1.0.0/16`）或域名，后面加上 `:port`，不加则为所有端口；"
        "不得在 169.254.0.0/16 之内"
    ),
    "a list of words, the first of them the path of a program": "由词组成的列表，第一个是程序的路径",
    "the name of one of `profiles`": "`profiles` 之一的名称",
    "the name of a branch": "分支的名称",
    "an image's name, with a tag or digest": "镜像的名称，可带标签或摘要",
    "a list of at least one image's name, such as `matlab-session:*`": (
        "列表，至少有一个镜像的名称，例如 `matlab-session:*`"
    ),
    "a mapping of variable names to text (quote numbers and yes/no)": (
        "从变量名到文字的映射（数字和 yes/no 请加引号）"
    ),
    'text such as "27000@licence.example.org"': '文字，例如 "27000@licence.example.org"',
    "a mapping of labels to values, both 1 to 63 letters, digits, `-`, `_` and `.`, with a letter or digit first": (
        "从标签到值的映射，两者都是 1 到 63 个字母、数字、`-`、`_` 和 `.`，以字母或数字开头"
    ),
    "a word such as `nfs`": "一个词，例如 `nfs`",
    "text such as `:/export/matlab`, with no `/` at its end": "文字，例如 `:/export/matlab`，末尾没有 `/`",
}

MEANINGS = {
    "Address that the API listens on.": "API 监听的地址。",
    "TCP port that the API listens on.": "API 监听的 TCP 端口。",
    "Unix socket that the API listens on instead, with mode 0660: who may write to it may call.": (
        "API 改为监听的 Unix 套接字，权限 0660：能写它的人就能调用。"
    ),
    "File with the certificate that the API shows, in PEM with those between it and its authority. Calls "
    "then go by `https`, TLS 1.2 or newer. It is read again when it changes.": (
        "API 出示的证书，PEM 文件，其中还有它与证书机构之间的各级证书。此后的调用使用 `https`，"
        "TLS 1.2 或更新版本。文件改变时会重新读取。"
    ),
    "File with the certificate's key, in PEM.": "该证书的私钥，PEM 文件。",
    "Whether calls need a token (`matlabctl token`): `auto` is on where `api_host` or `bind_address` lets "
    "other machines in, and off with `insecure`.": (
        "调用是否需要令牌（`matlabctl token`）："
        "`auto` 表示 `api_host` 或 `bind_address` 让其他机器能够访问时需要，设置 `insecure` 后不需要。"
    ),
    "Names that the API goes by, beside this machine's, such as a proxy's: a call for any other is refused, "
    "since a web page could have turned its name to this address.": (
        "API 除本机名称之外的名称，例如代理的名称：以其他名称发来的调用会被拒绝，因为网页可以把自己的域名指向这个地址。"
    ),
    "Where calls may come from, beside this machine; empty means anywhere.": (
        "除本机之外，允许调用来自哪里；空表示任何地方。"
    ),
    "Calls a second that a client, known by its token or else its address, may make on average; 0 is no limit.": (
        "每个客户端（按令牌，否则按地址识别）平均每秒可以发出的调用数；0 表示没有限制。"
    ),
    "Calls that it may make at once, before that limit holds.": "在上述限制生效之前，客户端一次可以发出的调用数。",
    "Connections that the API holds at the same time.": "API 同时保持的连接数。",
    "Of those, connections of one client, known by its address; this machine's own are not counted so.": (
        "其中同一客户端（按地址识别）的连接数；本机自己的连接不受此限。"
    ),
    "Allow what other machines can reach to ask nobody who they are: the API without `api_tokens`, sessions "
    "on such a `bind_address` without `session_tokens`.": (
        "允许他人可达之处不问来者身份：没有 `api_tokens` 的 API，"
        "以及在他人可达的 `bind_address` 上没有 `session_tokens` 的会话。"
    ),
    "File with the desired state; made with a commented example if it is not there. Or, in the file only, "
    "another home of it: a branch of git or a database (see below).": (
        "保存期望状态的文件；不存在时会创建一份带注释的示例。也可以另存别处，仅可在文件中设置："
        "git 的一个分支或一个数据库（见下文）。"
    ),
    "Folder for what the controller keeps for itself, and for its lock. `$XDG_STATE_HOME` moves the default.": (
        "控制器存放自己的内容和锁的目录。`$XDG_STATE_HOME` 会改变默认值。"
    ),
    "Folder on the engine's host that holds each user's data as `user_<id>`.": (
        "引擎所在主机上的目录，每位用户的数据在其中的 `user_<id>`。"
    ),
    "A session's page is published on this number plus the user id.": "会话的页面发布在这个数加上用户编号的端口。",
    "A session's WebSocket is published on this number plus the user id.": (
        "会话的 WebSocket 发布在这个数加上用户编号的端口。"
    ),
    "Address of the engine's host that session ports are published on.": "引擎所在主机上发布会话端口的地址。",
    "Whether a session opens only with a token of its own, which `GET /v1/users/<n>` tells: `auto` is on "
    "where `bind_address` or `session_url` leads other machines there. It holds for containers made from "
    "then on.": (
        "会话是否只凭自己的令牌打开，令牌由 `GET /v1/users/<n>` 给出："
        "`auto` 表示 `bind_address` 或 `session_url` 让其他机器能够访问时需要。只对此后创建的容器有效。"
    ),
    "Where browsers find a session's page if not on its port: the address under which a proxy passes on all "
    "of that port, its WebSocket `ws` included. A change makes sessions anew.": (
        "会话的页面不在自己的端口上时，浏览器到哪里找它："
        "代理把该端口的一切（包括其 WebSocket `ws`）转发出来的地址。改变它会重建会话。"
    ),
    "Sites that may show a session's page in a frame, as in `frame-ancestors` of a Content-Security-Policy; "
    "empty means any. A change makes sessions anew.": (
        "哪些网站可以在框架中显示会话的页面，写法与 Content-Security-Policy 的 `frame-ancestors` 相同；"
        "空表示任何网站。改变它会重建会话。"
    ),
    "A container's name is this and the user id.": "容器的名称由它加上用户编号组成。",
    "Label of the containers that are this controller's; it never touches any others.": (
        "属于这个控制器的容器所带的标签；控制器从不触碰其他容器。"
    ),
    "Highest user id.": "最大的用户编号。",
    "How many sessions may be starting at the same time.": "可以同时启动的会话数。",
    "Time between two looks at every container, events or not.": (
        "两次全面核对（查看每个容器）之间的时间，不论有无事件。"
    ),
    "How long `POST /create` waits for the session to run before it answers 202 `pending`.": (
        "`POST /create` 最多等待会话运行多久，之后应答 202 `pending`。"
    ),
    "Time in seconds that a session has to end by itself before the engine ends it.": (
        "会话自行结束的时限（秒），超过则由引擎结束它。"
    ),
    "How long the desired state's file must be left alone before it is read.": (
        "期望状态的文件须有多久不再变动，才会被读取。"
    ),
    "So many sessions one change of the whole text may end unasked: by removing, stopping or remaking.": (
        "对整个文本的一次改动，不经批准最多可以结束多少个会话：移除、停止或重建。"
    ),
    "Or so large a share of all that run. A change that would end more than both waits for `matlabctl approve`.": (
        "或者最多可以结束全部运行中会话的百分之多少。同时超过这两个界限的改动要等待 `matlabctl approve`。"
    ),
    "Take a text that names nobody, where users were wanted before, as a change like any other; else it "
    "waits for `matlabctl approve`.": (
        "原来有用户、现在一个也没有的文本，也当作普通改动采用；否则它要等待 `matlabctl approve`。"
    ),
    "Time between the first probes of a session that is not ready; then longer, the longer it is not.": (
        "会话尚未就绪时，最初几次探测之间的时间；迟迟不就绪则逐渐加长。"
    ),
    "Time between two probes of a session that is ready.": "会话就绪后，两次探测之间的时间。",
    "Time between two measurements of a user's folder; more where there is very much to count.": (
        "两次测量同一用户目录之间的时间；内容很多时会更长。"
    ),
    "What sessions may reach through the network, beside the servers that a profile's `licence` names. All "
    "else is closed to them: one another, this host, its neighbours, the internet. Set in the file only.": (
        "除配置档的 `licence` 所指的服务器之外，会话还可以通过网络访问什么。其余一概不开放：其他会话、本机、"
        "周围的网络、互联网。仅可在文件中设置。"
    ),
    "Whether sessions may reach the internet: every public address, and the name servers that this host asks.": (
        "会话是否可以访问互联网：所有公网地址，以及本机所用的域名服务器。"
    ),
    "User and group that sessions run as and that own the users' data folders.": (
        "运行会话、并拥有用户数据目录的用户和组。"
    ),
    "What runs sessions: the Docker engine of one host, or the swarm that this engine is a manager of. There "
    "`data_root` must be the same folder on every node, and ports are open on every address of a session's "
    "node.": (
        "会话由什么运行：一台主机的 Docker 引擎，或以该引擎为管理节点的 swarm。用 swarm 时，"
        "`data_root` 在每个节点上必须是同一个目录，端口开放在会话所在节点的所有地址上。"
    ),
    "Where a session's ports are in a swarm: on its own node, or by the swarm's routing mesh on every node.": (
        "在 swarm 中会话的端口在哪里：在其所在的节点上，或经由 swarm 的路由网格在每个节点上。"
    ),
    "How much of its cpus and memory a session takes of its node in a swarm when it is placed: with 50, "
    "twice as many find room as could use all of theirs at once.": (
        "在 swarm 中放置会话时，它在节点上占用其 cpus 和内存的百分之多少：设为 50 时，放得下的会话是能同时用满的两倍。"
    ),
    "How many sessions are on their way at a time from nodes of a swarm that are emptied.": (
        "清空 swarm 的节点时，同时有多少个会话在迁移途中。"
    ),
    "File system that each node of a swarm mounts for a session's data, in place of a `data_root` that is "
    "there on every node: see below. `data_root` is the same one as this machine has it mounted. Set in the "
    "file only.": (
        "swarm 的各节点为会话的数据挂载的文件系统，用来代替各节点上都有的 `data_root`：见下文。"
        "`data_root` 是同一文件系统在本机的挂载处。仅可在文件中设置。"
    ),
    "Command that switches a lost node of a swarm off, by its words; the node's name, id and address follow. "
    "Once it has ended with 0, the node is taken out of the swarm and its sessions start on others. Empty: "
    "they wait. Set in the file only.": (
        "切断 swarm 中失联节点电源的命令，逐词列出；调用时附上节点的名称、编号和地址。命令以 0 结束之后，"
        "该节点被移出 swarm，其会话在其他节点上启动。空表示会话一直等待。仅可在文件中设置。"
    ),
    "How long a node has to be lost before `swarm_fence` is run.": "节点须失联多久，才会运行 `swarm_fence`。",
    "How the engines of a swarm's nodes are asked themselves, over mutual TLS: see below. With it the use of "
    "resources is known of all sessions, and other limits come at once. Set in the file only.": (
        "如何以双向 TLS 直接询问 swarm 各节点的引擎：见下文。设置之后可以得知所有会话的资源用量，"
        "限额的改变也立即生效。仅可在文件中设置。"
    ),
    "Address of the Docker engine; empty means the Docker SDK's own default.": (
        "Docker 引擎的地址；空表示 Docker SDK 自己的默认值。"
    ),
    "Least important kind of log line that is written.": "写入日志的最低级别。",
    "How a log line is written: for people, or as one JSON object.": "日志的写法：给人看的文字，或每行一个 JSON 对象。",
    "Profile of the users whose wish names none.": "没有指明配置档的用户所用的配置档。",
    "What sessions may be given, by name. Set in the file only; what is there replaces the built-in profiles.": (
        "会话可以得到什么，各有名称。仅可在文件中设置；文件中的内容会取代内置的配置档。"
    ),
    "Where events are sent to, by a name that log and metrics call it by. Set in the file only.": (
        "事件发送到哪里，各有名称，日志和指标以此称呼。仅可在文件中设置。"
    ),
    "What profiles may offer, and how much all sessions together may come to. Set in the file only.": (
        "配置档可以提供什么，以及所有会话合计可以有多少。仅可在文件中设置。"
    ),
    "A branch of git: see below.": "git 的一个分支：见下文。",
    "A database with the text in it; made if it is not there.": "保存文本的数据库；不存在时会创建。",
    "Where the repository is. Git's own ways to prove who we are are used: keys and `~/.ssh/config` of the "
    "user that runs the controller, `~/.netrc`, or a token in the address, which is shown to nobody.": (
        "仓库的位置。身份用 git 自己的方式证明：运行控制器的用户的密钥和 `~/.ssh/config`、`~/.netrc`，"
        "或写在地址中的令牌，令牌不会显示给任何人。"
    ),
    "Branch whose newest commit is in force.": "以其最新提交为准的分支。",
    "File in the repository.": "仓库中的文件。",
    "Time between two fetches; `POST /v1/refresh` asks for one at once.": (
        "两次获取之间的时间；`POST /v1/refresh` 可要求立即获取。"
    ),
    "Whether API calls are written as commits and pushed to the branch. Else calls that change anything are "
    "refused with 409: who may push says who has a session.": (
        "API 的改动是否写成提交并推送到该分支。否则会改变什么的调用以 409 拒绝：谁有会话，由能推送的人决定。"
    ),
    "Image that the container is made from; it must be on the engine already.": (
        "创建容器所用的镜像；引擎上必须已有该镜像。"
    ),
    "Cores that the session may use; 1.5 is one and a half.": "会话可以使用的核数；1.5 即一个半核。",
    "Memory that the session may use; there is no swap beyond it.": "会话可以使用的内存；此外没有交换空间。",
    "Size of `/dev/shm`, which counts as memory when it is used.": "`/dev/shm` 的大小；用到的部分计入内存。",
    "Environment variables in the container, beside those that every session has. No secrets: anyone who may "
    "inspect the container can read them.": (
        "容器中的环境变量，在每个会话都有的之外。请勿写入机密：能查看该容器的人都读得到。"
    ),
    "MATLAB's licence server, given to the session as `MLM_LICENSE_FILE`.": (
        "MATLAB 的许可证服务器，以 `MLM_LICENSE_FILE` 交给会话。"
    ),
    "Processes and threads that the session may have; MATLAB wants 2048. `null` stands for 256.": (
        "会话可以有多少个进程和线程；MATLAB 需要 2048。`null` 即 256。"
    ),
    "Time in seconds that the session has to end by itself; MATLAB wants 60, to give its licence back. "
    "`null` stands for the setting of that name.": (
        "会话自行结束的时限（秒）；MATLAB 需要 60，以便归还许可证。`null` 即采用同名的设置。"
    ),
    "What the user's folder may hold before the condition `WithinQuota` says that it is too much. It is only "
    "told: nothing is refused, stopped or deleted. `null` is no quota.": (
        "用户的目录超过多大时，状况 `WithinQuota` 会指出超额。只是告知：不拒绝、不停止、不删除任何东西。"
        "`null` 即没有配额。"
    ),
    "Labels that a node of a swarm has to carry (`docker node update --label-add pool=gpu NODE`) to take "
    "such a session. A change makes sessions anew. Only where `engine` is `swarm`.": (
        "swarm 的节点必须带有哪些标签（`docker node update --label-add pool=gpu NODE`）才能接收这样的会话。"
        "改变它会重建会话。仅当 `engine` 为 `swarm` 时可用。"
    ),
    "Kind of file system, as `mount -t` has it.": "文件系统的类型，与 `mount -t` 相同。",
    "Options of the mount, as `mount -o` has them. No secrets: anyone who may inspect the service can read them.": (
        "挂载选项，与 `mount -o` 相同。请勿写入机密：能查看该服务的人都读得到。"
    ),
    "What is mounted: in it, as in `data_root`, each user's data is `user_<id>`.": (
        "挂载的对象：其中每位用户的数据在 `user_<id>`，与 `data_root` 中相同。"
    ),
    "That it is the same on every node, where its type does not say so. A session that starts on another "
    "node would not find its data otherwise.": (
        "声明它在每个节点上都相同，用于从类型看不出这一点时。若不相同，会话在另一个节点上启动时会找不到自己的数据。"
    ),
    "File with the certificate of the authority that vouches for the nodes' engines, in PEM.": (
        "为各节点的引擎作保的证书机构的证书，PEM 文件。"
    ),
    "File with the certificate that the controller shows them, in PEM.": "控制器向各节点出示的证书，PEM 文件。",
    "File with that certificate's key, in PEM.": "控制器所出示证书的私钥，PEM 文件。",
    "Port that they listen on.": "各节点监听的端口。",
    "Images that profiles may name. `*` stands for any characters but `/`, and alone for every image; a name "
    "without tag or digest means `:latest`.": (
        "配置档可以使用的镜像。`*` 代表除 `/` 之外的任意字符，单独一个 `*` 代表所有镜像；"
        "没有标签或摘要的名称即 `:latest`。"
    ),
    "The most that a profile may give one session: see below.": "一个配置档最多可以给一个会话多少：见下文。",
    "The most that all sessions which shall run may come to: see below.": (
        "所有应当运行的会话合计最多可以有多少：见下文。"
    ),
    "Cores.": "核数。",
    "Memory.": "内存。",
    "`/dev/shm`.": "`/dev/shm`。",
    "Sessions.": "会话数。",
    "Cores, as their profiles have them.": "核数，按各自的配置档计算。",
    "Memory, as their profiles have it.": "内存，按各自的配置档计算。",
    "Where each event is sent to by `POST`. Only its host is ever shown: such addresses are secrets.": (
        "每个事件用 `POST` 发送到的地址。对外只显示其主机名：这类地址就是机密。"
    ),
    "What is sent: the event as `GET /v1/events` has it, or a line that chats show.": (
        "发送什么：与 `GET /v1/events` 中相同的事件，或聊天工具可以显示的一行文字。"
    ),
    "Kinds of events that are sent; empty means all.": "发送哪些种类的事件；空表示全部。",
    "Reasons of events that are sent; empty means all.": "发送哪些原因的事件；空表示全部。",
    "File with the secret that what is sent is signed with, as Standard Webhooks has it: at least 16 "
    "letters, or `whsec_` and Base64. It is read at the start; others may not read it.": (
        "为所发内容签名的密钥所在的文件，按 Standard Webhooks 的规定：至少 16 个字符，或 `whsec_` 加 Base64。"
        "启动时读取；不得让他人读到。"
    ),
}
