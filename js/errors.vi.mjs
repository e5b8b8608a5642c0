/** Generated from nodes/sora_jobs/messages.toml by `make page-errors`: what kinds of errors are called. */

// prettier-ignore
export const ERRORS = {
  "charge": {
    "none": "Việc này không tốn tiền.",
    "possible": "Có thể đã tốn tiền.",
    "charged": "Cổng đã nhận công việc này; sẽ không mua lại lần nữa."
  },
  "labels": {
    "job": "công việc",
    "request": "mã yêu cầu",
    "in_full": "Nguyên văn:"
  },
  "kind": {
    "moderation_create": {
      "what": "Bộ kiểm duyệt của cổng không chấp nhận lời nhắc hoặc hình ảnh.",
      "do": "Hãy đổi lời nhắc hoặc ảnh tham chiếu; khuôn mặt người thường bị từ chối."
    },
    "moderation_job": {
      "what": "Cổng đã nhận công việc nhưng bộ kiểm duyệt đã dừng nó trước khi có video.",
      "do": "Hãy đổi lời nhắc hoặc ảnh tham chiếu. Danh sách công việc của cổng cho biết có bị tính tiền không."
    },
    "moderation_output": {
      "what": "Video đã hoàn thành nhưng bộ kiểm duyệt của nhà cung cấp không giao video.",
      "do": "Hãy đổi lời nhắc hoặc ảnh tham chiếu. Danh sách công việc của nhà cung cấp cho biết có bị tính tiền không."
    },
    "model_gone": {
      "what": "Cổng không cung cấp mô hình này, hoặc không còn cung cấp nữa.",
      "do": "Hãy chọn mô hình khác."
    },
    "no_balance": {
      "what": "Tài khoản tại cổng không đủ số dư.",
      "do": "Hãy nạp tiền vào tài khoản tại cổng."
    },
    "bad_key": {
      "what": "Cổng không chấp nhận khóa.",
      "do": "Hãy kiểm tra khóa và quyền của nó."
    },
    "no_key": {
      "what": "Chưa có khóa cho nhà cung cấp này.",
      "do": "Hãy đặt khóa, hoặc chọn nhà cung cấp sandbox (miễn phí)."
    },
    "unverified": {
      "what": "Tài khoản tại cổng phải được xác minh để dùng mô hình này.",
      "do": "Hãy xác minh tài khoản tại cổng, hoặc chọn mô hình khác."
    },
    "rate_limit": {
      "what": "Quá nhiều yêu cầu: cổng đề nghị chờ một lúc.",
      "do": "Hãy chạy lại sau ít phút."
    },
    "saturated": {
      "what": "Cổng đang quá tải: hiện không còn chỗ cho công việc.",
      "do": "Hãy chạy lại sau ít phút."
    },
    "wrong_reference": {
      "what": "Cổng không nhận ảnh tham chiếu.",
      "do": "Hãy chỉnh ảnh bằng SoraFitReference, hoặc dùng ảnh khác: PNG, JPEG hay WebP đúng kích thước video."
    },
    "wrong_input": {
      "what": "Cổng không chấp nhận yêu cầu này.",
      "do": "Hãy sửa yêu cầu; lời của cổng cho biết nó không nhận điều gì."
    },
    "not_allowed": {
      "what": "Cổng không cho phép yêu cầu này.",
      "do": "Hãy kiểm tra khóa, quyền của nó và số dư tài khoản."
    },
    "wrong_address": {
      "what": "Không có gì như vậy tại địa chỉ của cổng.",
      "do": "Hãy kiểm tra địa chỉ gốc của nhà cung cấp và tên mô hình."
    },
    "not_known": {
      "what": "Cổng không biết mục được hỏi: chưa có, hoặc không còn nữa.",
      "do": "Hãy chạy lại sau ít phút; nếu vẫn vậy, hỏi hỗ trợ của cổng, hoặc chọn take khác để mua video mới."
    },
    "link_lapsed": {
      "what": "Cổng không (còn) cho tải video đã hoàn thành.",
      "do": "Hãy chạy lại sau ít phút; nếu vẫn vậy, hỏi hỗ trợ của cổng hoặc chọn take khác."
    },
    "gateway_broken": {
      "what": "Cổng đang gặp sự cố và không trả lời được.",
      "do": "Hãy chạy lại sau; những gì đã trả tiền không bị mất."
    },
    "network": {
      "what": "Không kết nối được tới cổng qua mạng.",
      "do": "Hãy kiểm tra mạng và địa chỉ của nhà cung cấp, rồi chạy lại."
    },
    "proxy": {
      "what": "Proxy không cho yêu cầu đi qua.",
      "do": "Hãy kiểm tra HTTPS_PROXY và NO_PROXY, hoặc `proxy` trong providers.toml."
    },
    "socks": {
      "what": "Đã đặt proxy SOCKS nhưng chưa cài gói Python cần cho nó.",
      "do": "Hãy chạy `pip install PySocks` bằng Python của ComfyUI, rồi khởi động lại."
    },
    "tls": {
      "what": "Không thiết lập được kết nối mã hóa (TLS) tới cổng.",
      "do": "Hãy kiểm tra đồng hồ máy; nếu dùng chứng thực riêng, đặt `ca_bundle` trong providers.toml."
    },
    "perhaps_bought": {
      "what": "Không thể biết cổng đã nhận công việc này hay chưa.",
      "do": "Nó không tự gửi lại. Hãy mở công việc trong thẻ *Công việc Sora*: *Tìm trong danh sách của cổng*, *Dùng mã này* hoặc *Coi như đã mất*. Trong dòng lệnh: `sora resume {job} --video-id ID` hoặc `sora resume {job} --lost`."
    },
    "job_failed": {
      "what": "Cổng đã nhận công việc nhưng kết thúc mà không có video.",
      "do": "Nó không tự được mua lại. Chạy lại y như cũ, hoặc *Hỏi lại* trong thẻ *Công việc Sora*, chỉ hỏi cổng về nó, miễn phí. Muốn thử lại thì đổi lời nhắc hoặc chọn take khác."
    },
    "waited_long": {
      "what": "Video chưa sẵn sàng trong thời gian chờ.",
      "do": "Công việc vẫn tiếp tục. Hãy chạy lại để lấy kết quả; thẻ *Công việc Sora* cho biết tiến độ."
    },
    "budget": {
      "what": "Ngân sách do chủ máy đặt không cho phép công việc này.",
      "do": "Chủ máy có thể tăng: SORA_BUDGET_USD_PER_DAY, SORA_BUDGET_USD_PER_JOB, hoặc [budget] trong settings.toml."
    },
    "disk": {
      "what": "Không ghi hoặc đọc được tệp trên máy này.",
      "do": "Hãy kiểm tra ổ đĩa và quyền thư mục, rồi chạy lại."
    },
    "file_in_use": {
      "what": "Không ghi được tệp vì một chương trình khác đang mở tệp này.",
      "do": "Hãy đóng chương trình đang mở tệp (phần mềm diệt vi-rút, đồng bộ hoặc trình phát), rồi chạy lại."
    },
    "disk_full": {
      "what": "Ổ đĩa đã đầy.",
      "do": "Hãy giải phóng dung lượng ổ đĩa, rồi chạy lại."
    },
    "ledger_in_use": {
      "what": "Một chương trình khác đang giữ sổ.",
      "do": "Hãy đóng chương trình đang mở sổ (trình xem SQLite, sao lưu, phần mềm diệt vi-rút hoặc đồng bộ), rồi chạy lại."
    },
    "ledger_denied": {
      "what": "Người dùng này không có quyền đọc hoặc ghi sổ.",
      "do": "Hãy cấp quyền thư mục cho người dùng này theo nguyên văn. Đừng xóa thư mục: trong đó có những gì đã trả tiền."
    },
    "ledger_damaged": {
      "what": "Sổ cái bị hỏng.",
      "do": "Đừng xóa sổ. `sora restore --rebuild` cứu những gì còn đọc được."
    },
    "cancelled": {
      "what": "Công việc đã bị hủy trước khi được gửi.",
      "do": "Nếu vẫn muốn gửi, hãy chạy lại y như cũ."
    },
    "not_sent": {
      "what": "Công việc đang ở trong hàng đợi và chưa được gửi: chương trình lẽ ra gửi nó đã kết thúc.",
      "do": "Hãy yêu cầu lại đúng video đó để nó được gửi khi đến lượt. Thẻ *Công việc Sora* hiển thị và có thể hủy nó; trong dòng lệnh: `sora resume {job}` để gửi, `sora cancel {job}` để hủy."
    },
    "already_sent": {
      "what": "Chỉ có thể hủy công việc chưa được gửi.",
      "do": "Công việc mà nhà cung cấp đã nhận vẫn tiếp tục ở đó và video sẽ được tải về: thẻ *Công việc Sora* cho biết tiến độ; trong dòng lệnh: `sora resume {job}`."
    },
    "unsupported_library": {
      "what": "Một thư viện Python đang cài trên máy này không dùng được với gói này.",
      "do": "Hãy cài phiên bản nêu trong nguyên văn, rồi khởi động lại."
    },
    "wrong_choice": {
      "what": "Yêu cầu này không thể gửi đi như vậy.",
      "do": "Hãy sửa mục mà nguyên văn nêu ra."
    },
    "unknown": {
      "what": "Đã xảy ra lỗi chưa được đặt tên.",
      "do": "Hãy chạy `sora doctor`; nguyên văn giúp bộ phận hỗ trợ."
    }
  }
};
