/** Generated from nodes/sora_jobs/messages.toml by `make page-errors`: what kinds of errors are called. */

// prettier-ignore
export const ERRORS = {
  "charge": {
    "none": "这次没有花费任何费用。",
    "possible": "可能已经产生费用。",
    "charged": "网关已接受此任务；不会为它再次付费。"
  },
  "labels": {
    "job": "任务",
    "request": "请求编号",
    "in_full": "原文："
  },
  "kind": {
    "moderation_create": {
      "what": "网关的内容审核没有通过提示词或图片。",
      "do": "请修改提示词或参考图；人脸常被拒绝。"
    },
    "moderation_job": {
      "what": "网关接受了任务，但在生成视频之前被内容审核中止。",
      "do": "请修改提示词或参考图。是否收费请查看网关自己的任务列表。"
    },
    "moderation_output": {
      "what": "视频已生成，但提供商的内容审核拒绝交付。",
      "do": "请修改提示词或参考图。是否收费请查看提供商自己的任务列表。"
    },
    "model_gone": {
      "what": "网关不提供（或不再提供）此模型。",
      "do": "请选择其他模型。"
    },
    "no_balance": {
      "what": "网关账户余额不足。",
      "do": "请在网关为账户充值。"
    },
    "bad_key": {
      "what": "网关不接受此密钥。",
      "do": "请检查密钥及其权限。"
    },
    "no_key": {
      "what": "此提供商还没有密钥。",
      "do": "请设置密钥，或选择免费的 sandbox 提供商。"
    },
    "unverified": {
      "what": "网关账户需要验证后才能使用此模型。",
      "do": "请在网关验证账户，或选择其他模型。"
    },
    "rate_limit": {
      "what": "请求过多：网关要求稍等。",
      "do": "请稍后再次运行。"
    },
    "saturated": {
      "what": "网关已满负荷：暂时无法接受任务。",
      "do": "请稍后再次运行。"
    },
    "wrong_reference": {
      "what": "网关不接受参考图。",
      "do": "请用 SoraFitReference 调整，或换一张图：PNG、JPEG 或 WebP，尺寸与视频完全一致。"
    },
    "wrong_input": {
      "what": "网关不接受此请求的内容。",
      "do": "请修改请求；网关的原文说明了不接受的内容。"
    },
    "not_allowed": {
      "what": "网关不允许此请求。",
      "do": "请检查密钥、其权限和账户余额。"
    },
    "wrong_address": {
      "what": "网关的这个地址上没有所请求的内容。",
      "do": "请检查提供商的基础地址和模型名称。"
    },
    "not_known": {
      "what": "网关不认识所查询的内容：还没有，或已经不在。",
      "do": "请稍后再次运行；若仍如此，请联系网关支持，或选择另一个 take 重新购买视频。"
    },
    "link_lapsed": {
      "what": "网关不（再）提供已完成视频的下载。",
      "do": "请稍后再次运行；若仍如此，请联系网关支持，或选择另一个 take。"
    },
    "gateway_broken": {
      "what": "网关出现故障，没有给出可用的回答。",
      "do": "请稍后再次运行；已付费的内容不会丢失。"
    },
    "network": {
      "what": "无法通过网络连接网关。",
      "do": "请检查网络和提供商的地址，然后再次运行。"
    },
    "proxy": {
      "what": "代理没有放行此请求。",
      "do": "请检查 HTTPS_PROXY 和 NO_PROXY，或 providers.toml 中的 `proxy`。"
    },
    "socks": {
      "what": "设置了 SOCKS 代理，但没有安装所需的 Python 包。",
      "do": "请用 ComfyUI 的 Python 运行 `pip install PySocks`，然后重新启动。"
    },
    "tls": {
      "what": "无法与网关建立加密连接（TLS）。",
      "do": "请检查本机时钟；若使用自有证书颁发机构，请在 providers.toml 中设置 `ca_bundle`。"
    },
    "perhaps_bought": {
      "what": "无法确定网关是否已接受此任务。",
      "do": "不会自动重发。请在标签页 *Sora 任务* 中打开此任务：*在网关列表中查找*、*使用此编号* 或 *声明丢失*。在命令行中：`sora resume {job} --video-id ID` 或 `sora resume {job} --lost`。"
    },
    "job_failed": {
      "what": "网关接受了任务，但没有生成视频就结束了。",
      "do": "不会自动再次购买。原样再次运行，或在标签页 *Sora 任务* 中点击*再问一次*，只会免费向网关询问一次。要再试一次，请修改提示词或换一个 take。"
    },
    "waited_long": {
      "what": "视频没有在等待时间内完成。",
      "do": "任务仍在进行。再次运行即可继续；标签页 *Sora 任务* 显示进度。"
    },
    "budget": {
      "what": "机器所有者设定的预算不允许此任务。",
      "do": "所有者可以提高预算：SORA_BUDGET_USD_PER_DAY、SORA_BUDGET_USD_PER_JOB，或 settings.toml 中的 [budget]。"
    },
    "disk": {
      "what": "本机无法写入或读取文件。",
      "do": "请检查磁盘和文件夹权限，然后再次运行。"
    },
    "file_in_use": {
      "what": "文件正被其他程序打开，无法写入。",
      "do": "请关闭打开该文件的程序（杀毒软件、同步客户端或播放器），然后再次运行。"
    },
    "disk_full": {
      "what": "磁盘已满。",
      "do": "请腾出磁盘空间，然后再次运行。"
    },
    "ledger_in_use": {
      "what": "账本正被其他程序占用。",
      "do": "请关闭打开账本的程序（SQLite 浏览器、备份、杀毒软件或同步客户端），然后再次运行。"
    },
    "ledger_denied": {
      "what": "当前用户无权读取或写入账本。",
      "do": "请按原文所示，为当前用户授予该文件夹的权限。不要删除该文件夹：其中有已付费的记录。"
    },
    "ledger_damaged": {
      "what": "账本已损坏。",
      "do": "不要删除账本。`sora restore --rebuild` 会挽救仍可读取的内容。"
    },
    "cancelled": {
      "what": "任务在发送之前已取消。",
      "do": "如果仍要发送，请原样再次运行。"
    },
    "not_sent": {
      "what": "任务仍在排队，尚未发送：负责发送它的程序已经结束。",
      "do": "再次请求同一视频，轮到它时就会发送。标签页 *Sora 任务* 会显示它，也可以取消它；在命令行中：`sora resume {job}` 发送，`sora cancel {job}` 取消。"
    },
    "already_sent": {
      "what": "只能取消尚未发送的任务。",
      "do": "提供商已接受的任务会继续进行，视频会被下载：标签页 *Sora 任务* 显示进度；在命令行中：`sora resume {job}`。"
    },
    "unsupported_library": {
      "what": "本机安装的某个 Python 库无法与此扩展配合使用。",
      "do": "请安装原文中给出的版本，然后重新启动。"
    },
    "wrong_choice": {
      "what": "此请求无法这样发送。",
      "do": "请更正原文所指出的输入。"
    },
    "unknown": {
      "what": "发生了尚未命名的问题。",
      "do": "请运行 `sora doctor`；原文对支持人员有帮助。"
    }
  }
};
