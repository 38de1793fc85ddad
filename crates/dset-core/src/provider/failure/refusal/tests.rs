use std::time::Duration;

use crate::answer::{Cause, Failure, FailureClass, ParsedReply, Refusal};
use crate::item::content::Content;
use crate::provider::StreamParser;

/// 2026-11-22 12:00:00 UTC.
const NOW: i64 = 1_795_348_800_000;

fn failure(status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
    let headers = headers.iter().map(|&(n, v)| (n.to_owned(), v.to_owned())).collect();
    let mut reply = StreamParser::new(status, headers).received_at(NOW);
    reply.push(body.as_bytes());
    match reply.finish() {
        ParsedReply::Failure(failure) => failure,
        ParsedReply::Answer(answer) => panic!("an answer: {answer:?}"),
    }
}

/// What a refusal of this question comes to.
fn class_of(question: &str, status: u16, body: &str) -> FailureClass {
    let content = Content::Text(question.into());
    let mut reply = StreamParser::new(status, Vec::new()).in_reply_to(&content, None);
    reply.push(body.as_bytes());
    let ParsedReply::Failure(failure) = reply.finish() else { panic!("an answer") };
    failure.class
}

#[test]
fn what_an_error_repeats_of_the_question_or_the_answer_is_no_reason() {
    use FailureClass::{KeyRefused, OutOfMoney, Refused, Throttled, Transient};
    let bill = "Why is my bill unpaid, and my balance insufficient? 余额不足";
    let flagged = |words: &str| {
        format!(
            r#"{{"error":{{"code":403,"message":"m requires moderation. Your input was flagged for \"harassment\". No credits were charged.","metadata":{{"reasons":["harassment"],"flagged_input":"{words}","provider_name":"p"}}}}}}"#
        )
    };
    let gone = r#"{"error":{"message":"model \"llama9\" not found"}}"#;
    let asked = class_of("Which model of car was not found?", 404, gone);
    assert_eq!(asked, Refused(Refusal::Settings));
    for words in ["your bill is unpaid", "you", "incorrect api key"] {
        let refused = class_of("anything else", 403, &flagged(words));
        assert_eq!(refused, Refused(Refusal::Moderation), "{words}");
    }
    let echoed = r#"{"message":"[{'msg': 'bad', 'input': [{'content': 'Why is my bill unpaid, and my balance insufficient? 余额不足'}]}]","code":400}"#;
    assert_eq!(class_of(bill, 400, echoed), Refused(Refusal::Request));
    assert_eq!(class_of("anything else", 400, echoed), OutOfMoney);
    let key = r#"{"error":{"message":"bad template near 'incorrect api key'"}}"#;
    assert_eq!(class_of("It says: Incorrect API key!", 400, key), Refused(Refusal::Request));
    assert_eq!(class_of(bill, 400, key), KeyRefused);
    for (status, body, class) in [
        (
            400,
            r#"{"error":{"message":"Tool choice is none, but model called a tool","code":"tool_use_failed","failed_generation":"The invoice is unpaid."}}"#,
            Refused(Refusal::Request),
        ),
        (
            500,
            r#"{"error":{"code":500,"message":"Failed to parse input at pos 12: <|channel|>The invoice is unpaid."}}"#,
            Transient,
        ),
        (
            400,
            r#"{"error":{"message":"{'error': 'Keyword banned. Keyword=unpaid'}"}}"#,
            Refused(Refusal::Moderation),
        ),
        (
            400,
            r#"{"error":{"message":"{'error': 'Violated guardrail policy', 'bedrock_guardrail_response': 'No word of past due bills'}"}}"#,
            Refused(Refusal::Moderation),
        ),
        (
            403,
            r#"{"error":{"message":"Budget limit exceeded","code":403,"metadata":{"limit_source":"openrouter_guardrail_budget"}}}"#,
            OutOfMoney,
        ),
        (
            404,
            r#"{"error":{"message":"No endpoints available matching your guardrail restrictions and data policy.","code":404}}"#,
            Refused(Refusal::Settings),
        ),
        // The same words are one where the question has them in another place.
        (403, r#"{"error":{"message":"Insufficient account balance"}}"#, OutOfMoney),
        (402, r#"{"error":{"message":"unpaid"}}"#, OutOfMoney),
        (429, r#"{"error":{"message":"unpaid"}}"#, Throttled { wait: None, width: None }),
    ] {
        assert_eq!(class_of(bill, status, body), class, "{body}");
    }
}

#[test]
fn what_a_gateway_lost_on_its_way_upstream_may_be_billed_and_what_it_did_not_send_is_not() {
    for (reason, cause) in [
        ("connection termination", Cause::ConnectionLost),
        ("remote reset", Cause::ConnectionLost),
        ("connection failure", Cause::Overloaded),
        ("overflow", Cause::Overloaded),
    ] {
        let body = format!(
            "upstream connect error or disconnect/reset before headers. reset reason: {reason}"
        );
        let failure = failure(503, &[], &body);
        assert_eq!((failure.class, failure.cause), (FailureClass::Transient, cause), "{reason}");
    }
}

#[test]
fn what_is_longer_than_a_minute_allows_is_not_waited_for() {
    let body = r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit of 10,000 input tokens per minute."}}"#;
    let long = class_of(&"word ".repeat(20_000), 429, body);
    assert_eq!(long, FailureClass::Refused(Refusal::Question));
    let short = class_of(&"word ".repeat(2_000), 429, body);
    assert!(matches!(short, FailureClass::Throttled { .. }));
}

#[test]
fn words_that_sound_like_a_filter_or_a_setting_are_told_from_what_they_mean() {
    for (status, message, expected) in [
        (
            403,
            "Your resource has been temporarily blocked from using this API because we detected behavior that may violate our content policy.",
            FailureClass::Forbidden,
        ),
        (
            400,
            "Your account was flagged for repeated violations of our usage policies.",
            FailureClass::Forbidden,
        ),
        (400, "Unknown parameter: 'moderation'.", FailureClass::Refused(Refusal::Settings)),
        (400, "Your input was flagged.", FailureClass::Refused(Refusal::Moderation)),
        (
            404,
            "No endpoints found that support image input",
            FailureClass::Refused(Refusal::Request),
        ),
        (404, "No endpoints found for m/n.", FailureClass::Refused(Refusal::Settings)),
    ] {
        let body = format!(r#"{{"error":{{"message":"{message}"}}}}"#);
        assert_eq!(class(status, &body), expected, "{message}");
    }
}

#[test]
fn advice_to_pay_for_a_higher_rate_is_a_rate_and_alone_an_empty_account() {
    let limit = |words: &str| {
        format!(
            r#"{{"error":{{"message":"Rate limit reached for m in organization o on requests per min. Limit: 3 / min. {words} your account to increase your rate limit.","type":"requests","code":"rate_limit_exceeded"}}}}"#
        )
    };
    for words in ["Please add a payment method to", "You can enable billing of"] {
        let told = class(429, &limit(&format!("Please try again in 20s. {words}")));
        assert!(matches!(told, FailureClass::Throttled { wait: Some(_), .. }), "{words}");
        assert!(matches!(class(429, &limit(words)), FailureClass::Throttled { .. }), "{words}");
    }
    for words in ["Please add a payment method", "This model requires billing"] {
        let body = format!(r#"{{"error":{{"message":"{words}"}}}}"#);
        assert_eq!(class(403, &body), FailureClass::OutOfMoney, "{words}");
    }
}

fn class(status: u16, body: &str) -> FailureClass {
    failure(status, &[], body).class
}

#[test]
fn what_a_service_says_does_not_fit_the_schema_is_kept_and_is_an_answer_where_it_is_judged() {
    let body = r#"{"error":{"message":"Failed to validate JSON.","type":"invalid_request_error",
        "code":"json_validate_failed","failed_generation":"{\"n\": \"no\"}"}}"#;
    let failed = failure(400, &[], body);
    assert_eq!((failed.class, failed.cause.code()), (FailureClass::Empty, "does not fit"));
    assert_eq!(failed.partial.as_ref().unwrap().content, r#"{"n": "no"}"#);
    let kept = ParsedReply::Failure(failed.clone()).with_unfit_answer(|_| false);
    assert_eq!(kept, ParsedReply::Failure(failed.clone()));
    let judged = ParsedReply::Failure(failed).with_unfit_answer(|_| true);
    assert!(matches!(judged, ParsedReply::Answer(answer) if answer.content == r#"{"n": "no"}"#));
    // Without what it wrote there is nothing to keep.
    let body = r#"{"error":{"message":"Failed to validate JSON.","code":"json_validate_failed"}}"#;
    assert!(failure(400, &[], body).partial.is_none());
}

#[test]
fn an_empty_account_is_told_in_every_services_words_whatever_the_status() {
    for (status, body) in [
        // Gateways and aggregators.
        (403, r#"{"code":"INSUFFICIENT_BALANCE","message":"Insufficient account balance"}"#),
        (
            403,
            r#"{"code":403,"reason":"NOT_ENOUGH_BALANCE","message":"not enough balance","metadata":{}}"#,
        ),
        (
            403,
            r#"{"error":{"message":"该令牌额度已用尽 TokenStatusExhausted","type":"new_api_error","code":""}}"#,
        ),
        (
            403,
            r#"{"error":{"message":"用户额度不足, 剩余额度: $-0.000002 (request id: 20260819)","type":"new_api_error","code":"insufficient_user_quota"}}"#,
        ),
        (
            403,
            r#"{"error":{"message":"预扣费额度失败, 用户剩余额度: $0.1, 需要预扣费额度: $0.2","code":"pre_consume_token_quota_failed"}}"#,
        ),
        (
            401,
            r#"{"type":"error","error":{"type":"CreditsError","message":"Insufficient balance. Manage your billing here"}}"#,
        ),
        (
            400,
            r#"{"error":{"message":"Budget has been exceeded! Current cost: 0.1, Max budget: 0.05","type":"budget_exceeded","param":null,"code":"400"}}"#,
        ),
        (
            429,
            r#"{"error":{"message":"ExceededBudget: User=u over budget. Spend=1.2, Budget=1.0"}}"#,
        ),
        (200, r#"{"success":false,"code":500,"msg":"余额不足"}"#),
        (200, r#"{"code":"INSUFFICIENT_BALANCE","message":"Insufficient account balance"}"#),
        (500, r#"{"code":500,"msg":"账户余额不足，请充值","data":null}"#),
        (503, r#"{"error":{"message":"The upstream account has insufficient credits"}}"#),
        // MiniMax.
        (
            500,
            r#"{"type":"error","error":{"type":"api_error","message":"insufficient balance (1008)"}}"#,
        ),
        (
            200,
            r#"{"id":"0","choices":null,"base_resp":{"status_code":1008,"status_msg":"insufficient balance"}}"#,
        ),
        (200, r#"{"choices":null,"base_resp":{"status_code":1008,"status_msg":"账户余额不足"}}"#),
        (429, r#"{"type":"error","error":{"type":"x","message":"something new (1008)"}}"#),
        // SiliconFlow.
        (
            403,
            r#"{"code":30001,"message":"Sorry, your account balance is insufficient","data":null}"#,
        ),
        (403, r#"{"code":30001,"message":"?","data":null}"#),
        (
            403,
            r#"{"code":30011,"message":"Paid balance is insufficient to continue use, please top up."}"#,
        ),
        // Volcengine.
        (
            403,
            r#"{"error":{"code":"AccountOverdueError","message":"The request failed because your account has an overdue balance.","type":"Forbidden"}}"#,
        ),
        (
            429,
            r#"{"error":{"code":"QuotaExceeded","message":"Your account 210 has exhausted its free trial quota for model doubao. Please visit the console to activate it.","type":"TooManyRequests"}}"#,
        ),
        (
            429,
            r#"{"error":{"code":"SetLimitExceeded","message":"Your account [210] has reached the set inference limit for the [doubao] model, and the model service has been paused.","type":"TooManyRequests"}}"#,
        ),
        // Zhipu.
        (429, r#"{"error":{"code":"1113","message":"余额不足或无可用资源包,请充值。"}}"#),
        (429, r#"{"error":{"code":1113,"message":"?"}}"#),
        (400, r#"{"error":{"code":"1113","message":"您的账户已欠费，请充值后重试"}}"#),
        (
            429,
            r#"{"error":{"code":"1309","message":"您的 GLM Coding Plan 套餐已到期，暂无法使用"}}"#,
        ),
        (
            429,
            r#"{"error":{"code":"1309","message":"Your GLM Coding Plan package has expired and is temporarily unavailable."}}"#,
        ),
        // DashScope.
        (
            403,
            r#"{"error":{"message":"The free tier of the model has been exhausted. If you wish to continue access the model on a paid basis, please disable the \"use free tier only\" mode in the management console.","type":"AllocationQuota.FreeTierOnly","param":null,"code":"AllocationQuota.FreeTierOnly"}}"#,
        ),
        (
            400,
            r#"{"code":"Arrearage","message":"Access denied, please make sure your account is in good standing.","request_id":"1"}"#,
        ),
        (403, r#"{"code":"PrepaidBillOverdue","message":"The prepaid bill is overdue."}"#),
        (403, r#"{"code":"PostpaidBillOverdue","message":"The postpaid bill is overdue."}"#),
        (403, r#"{"code":"CommodityNotPurchased","message":"Commodity has not purchased yet."}"#),
        // Moonshot, Tencent, Baidu, StepFun.
        (
            429,
            r#"{"error":{"message":"Your account org-1 <ak-1> is suspended due to insufficient balance, please recharge your account or check your plan and billing details","type":"exceeded_current_quota_error"}}"#,
        ),
        (403, r#"{"error":{"message":"您的账户余额不足，请前往充值","type":"permission_denied"}}"#),
        (
            200,
            r#"{"Response":{"Error":{"Code":"FailedOperation.ResourcePackExhausted","Message":"资源包余量已用尽"},"RequestId":"1"}}"#,
        ),
        (
            200,
            r#"{"Response":{"Error":{"Code":"FailedOperation.ServiceStopArrears","Message":"欠费停服。"},"RequestId":"1"}}"#,
        ),
        (200, r#"{"error_code":19,"error_msg":"Open api total request limit reached"}"#),
        (402, r#"{"error":{"message":"You have exceeded the quota","type":"quota_exceeded"}}"#),
        // OpenAI, Anthropic, Google, xAI and hosts of open models.
        (
            429,
            r#"{"error":{"message":"You exceeded your current quota, please check your plan and billing details.","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}"#,
        ),
        (
            429,
            r#"{"error":{"message":"x","type":"insufficient_quota","code":"credit_balance_exhausted"}}"#,
        ),
        (
            429,
            r#"{"error":{"message":"x","type":"rate_limit","code":"project_spend_limit_exceeded"}}"#,
        ),
        (
            429,
            r#"{"error":{"message":"x","type":"rate_limit","code":"organization_usage_limit_exceeded"}}"#,
        ),
        (
            429,
            r#"{"error":{"message":"Billing hard limit has been reached","code":"billing_hard_limit_reached"}}"#,
        ),
        (
            400,
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}"#,
        ),
        (
            429,
            r#"[{"error":{"code":429,"message":"Your prepayment credits are depleted. Please go to AI Studio","status":"RESOURCE_EXHAUSTED"}}]"#,
        ),
        (
            403,
            r#"{"error":{"code":403,"message":"This API method requires billing to be enabled.","status":"PERMISSION_DENIED","details":[{"reason":"BILLING_DISABLED"}]}}"#,
        ),
        (
            403,
            r#"{"code":"The caller does not have permission","error":"Your newly created team doesn't have any credits yet. You can purchase those on the console."}"#,
        ),
        (
            412,
            r#"{"error":{"message":"Account a is suspended, possibly due to reaching the monthly spending limit or failure to pay past invoices."}}"#,
        ),
        (
            429,
            r#"{"detail":"Quota exceeded and account balance is $0.0, please pay with fiat or send tao"}"#,
        ),
        (
            403,
            r#"{"error":"You have exceeded your monthly included credits for Inference Providers. Subscribe to PRO"}"#,
        ),
        (
            403,
            r#"{"error":{"message":"Credit limit exceeded, please navigate to billing to add credits"}}"#,
        ),
        (403, r#"{"detail":{"error":"inference prohibited, please enter a payment method"}}"#),
        (403, r#"{"message":"Insufficient Funds. Please deposit more funds."}"#),
        (
            403,
            r#"{"__type":"AccessDeniedException","message":"Model access is denied due to INVALID_PAYMENT_INSTRUMENT:A valid payment instrument must be provided."}"#,
        ),
        (403, "You have run out of credits."),
        // More of the same kind.
        (
            403,
            r#"{"error":{"message":"Your account has been suspended because of unpaid invoices.","code":"account_suspended"}}"#,
        ),
        (429, r#"{"error":{"code":"1112","message":"您的账户余额为0，请前往充值中心充值"}}"#),
        (
            400,
            r#"{"error":{"message":"Account balance too low. Current: -0.03 USD","type":"billing_error"}}"#,
        ),
        (403, r#"{"error":{"code":"InsufficientBalance","message":"?"}}"#),
        (500, r#"{"error":{"code":"insufficient_balance","message":"internal"}}"#),
        (200, r#"{"error":{"code":1008,"message":"insufficient balance"}}"#),
        (200, r#"{"code":402,"message":"x"}"#),
        (200, r#"{"status":"error","code":"30001","message":"账户余额不足"}"#),
        (403, r#"{"error":"Your trial credits have been used up."}"#),
        (
            429,
            r#"{"error":{"message":"Your free credits are exhausted, please upgrade","type":"quota"}}"#,
        ),
        (403, r#"{"error":{"message":"配额已用尽，请购买资源包"}}"#),
        (403, r#"{"error":{"message":"您的免费额度已用完，请开通付费"}}"#),
        (429, r#"{"error":{"message":"当前账户可用额度不够"}}"#),
        (
            403,
            r#"{"errors":[{"code":"no_credit","message":"No credits remaining on this account"}]}"#,
        ),
        (400, r#"{"message":"Payment Required: your organization has no active billing plan"}"#),
        (403, r#"{"error":{"message":"Your subscription has ended. Renew it to go on."}}"#),
        (
            429,
            r#"{"error":{"message":"Monthly spend limit of $50.00 reached for this key","code":"monthly_spend_limit"}}"#,
        ),
        (
            403,
            r#"{"error":{"type":"billing","message":"The billing account for the project is disabled in state absent"}}"#,
        ),
        (500, r#"{"detail":"Insufficient wallet balance"}"#),
        (403, r#"{"err_no":336,"err_msg":"账号已欠费，请充值"}"#),
        (429, r#"{"error":{"message":"額度不足，請儲值"}}"#),
        (403, "余额不足"),
        (403, "<html><title>402</title><body>Insufficient balance</body></html>"),
        // Behind somebody else.
        (
            429,
            r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"{\"error\":{\"code\":\"1113\",\"message\":\"\\u4f59\\u989d\\u4e0d\\u8db3\"}}"}}}"#,
        ),
        (
            500,
            r#"{"error":{"message":"litellm.InternalServerError: InternalServerError: OpenAIException - {\"type\":\"error\",\"error\":{\"message\":\"insufficient balance (1008)\"}}","code":"500"}}"#,
        ),
    ] {
        assert_eq!(class(status, body), FailureClass::OutOfMoney, "{status} {body}");
        if status == 200 {
            let stream = format!("data: {body}\n\n");
            assert_eq!(class(status, &stream), FailureClass::OutOfMoney, "{stream}");
        }
    }
}

#[test]
fn a_limit_for_a_time_is_no_empty_account() {
    let quota = "You exceeded your current quota, please check your plan and billing details.";
    for (status, headers, body, seconds) in [
        (429, vec![], format!(r#"{{"error":{{"code":429,"message":"{quota} For more information look there. Please retry in 3.6s.","status":"RESOURCE_EXHAUSTED"}}}}"#), Some(3.6)),
        (429, vec![], format!(r#"{{"error":{{"code":429,"message":"{quota} Please retry in 3.6s.","status":"RESOURCE_EXHAUSTED"}}}}"#), Some(3.6)),
        (429, vec![("retry-after", "4")], format!(r#"{{"error":{{"message":"{quota} For more information look there.","type":"insufficient_quota"}}}}"#), Some(4.0)),
        (429, vec![], r#"{"error":{"code":"insufficient_quota","message":"You exceeded your current quota, please check your plan and billing details. For details, see: https://help.aliyun.com/zh/model-studio/error-code#token-limit","type":"insufficient_quota"}}"#.into(), None),
        (429, vec![], r#"{"error":{"code":"insufficient_quota","message":"x https://help.aliyun.com/zh/model-studio/error-code#rate-limit","type":"insufficient_quota"}}"#.into(), None),
        (429, vec![], r#"{"code":"Throttling.AllocationQuota","message":"Allocated quota exceeded, please increase your quota limit."}"#.into(), None),
        (429, vec![], format!(r#"{{"error":{{"message":"{quota} Quota metric: requests per minute","type":"insufficient_quota"}}}}"#), None),
        (429, vec![], r#"{"error":{"message":"您的账户 TPM 额度不足，请稍后重试","code":"1302"}}"#.into(), None),
        (429, vec![], r#"{"error":{"code":"1302","message":"您当前使用该 API 的并发数过高，请降低并发，或联系客服增加限额"}}"#.into(), None),
        (429, vec![], r#"{"error":{"code":"1303","message":"您当前使用该 API 的频率过高，请降低频率，或充值以提高限额"}}"#.into(), None),
        (429, vec![], r#"{"code":50603,"message":"Request was rejected due to rate limiting. If you want more, please contact us. Details:TPM limit reached."}"#.into(), None),
        (429, vec![], r#"{"error":{"message":"Your account o request reached project TPM rate limit, current: 1410, limit: 100, please top up your account to raise it","type":"rate_limit_reached_error"}}"#.into(), None),
        (429, vec![], r#"{"error":{"code":"ModelAccountTpmRateLimitExceeded","message":"The Tokens Per Minute (TPM) limit of the associated model for your account has been exceeded. Please try again later. Request id: 1","type":"TooManyRequests"}}"#.into(), None),
        (429, vec![], r#"{"error":{"code":429,"message":"Resource has been exhausted (e.g. check quota).","status":"RESOURCE_EXHAUSTED"}}"#.into(), None),
        (429, vec![], r#"{"error":{"message":"AI inference rate limit exceeded. You used 100 credits of 100 per minute."}}"#.into(), None),
        (500, vec![], r#"{"type":"error","error":{"type":"api_error","message":"rate limit exceeded(RPM) (1002)"}}"#.into(), None),
        (200, vec![], r#"{"error_code":18,"error_msg":"Open api qps request limit reached"}"#.into(), None),
        (200, vec![], r#"{"choices":null,"base_resp":{"status_code":1002,"status_msg":"rate limit"}}"#.into(), None),
    ] {
        let wait = seconds.map(Duration::from_secs_f64);
        let read = failure(status, &headers, &body).class;
        assert_eq!(read, FailureClass::Throttled { wait, width: None }, "{status} {body}");
    }
    // The number at once depends on the money that is left, and there is some.
    let body = r#"{"error":{"message":"Your current concurrency is 40, which exceeds your concurrency limit of 39 based on your remaining balance. Please top up your balance to restore your concurrency."}}"#;
    let limited = FailureClass::Throttled { wait: None, width: Some(39) };
    assert_eq!(class(429, body), limited);
}

#[test]
fn words_about_money_that_are_about_something_else_are_no_reason() {
    for (status, body, expected) in [
        (
            503,
            r#"{"error":{"message":"load balance failed: no healthy upstream"}}"#,
            FailureClass::Transient,
        ),
        (
            500,
            r#"{"error":{"message":"insufficient resources to serve the model"}}"#,
            FailureClass::Transient,
        ),
        (
            400,
            r#"{"error":{"message":"The thinking budget must not exceed 24576 tokens"}}"#,
            FailureClass::Refused(Refusal::Request),
        ),
        (
            400,
            r#"{"error":{"message":"max_tokens must be greater than thinking.budget_tokens"}}"#,
            FailureClass::Refused(Refusal::Request),
        ),
        (
            400,
            r#"{"error":{"message":"Range of top_k should be [1, 1008]","code":"1210"}}"#,
            FailureClass::Refused(Refusal::Request),
        ),
        (200, r#"{"code":0,"message":"success","data":{"balance":"0"}}"#, FailureClass::OtherApi),
    ] {
        assert_eq!(class(status, body), expected, "{status} {body}");
    }
}

#[test]
fn a_wait_is_heard_in_every_header_that_says_it() {
    for (headers, seconds) in [
        (vec![("retry-after", "4")], Some(4.0)),
        (vec![("retry-after", "4, 4")], Some(4.0)),
        (vec![("retry-after", "2, 4")], Some(4.0)),
        (vec![("retry-after", "4"), ("retry-after", "9")], Some(9.0)),
        (vec![("retry-after", "4.0")], Some(4.0)),
        (vec![("retry-after", "4s")], Some(4.0)),
        (vec![("retry-after", "PT4S")], Some(4.0)),
        (vec![("retry-after", "1795348804")], Some(4.0)),
        (vec![("retry-after", "1795348804000")], Some(4.0)),
        (vec![("retry-after", "2026-11-22T12:00:04Z")], Some(4.0)),
        (vec![("retry-after", "Sun, 22 Nov 2026 12:00:04 GMT")], Some(4.0)),
        (
            vec![("retry-after", "Sun, 22 Nov 2026 12:00:02 GMT, Sun, 22 Nov 2026 12:00:04 GMT")],
            Some(4.0),
        ),
        (vec![("retry-after", "Sunday, 22-Nov-26 12:00:04 GMT")], Some(4.0)),
        (vec![("retry-after-ms", "4000"), ("retry-after", "5")], Some(4.0)),
        (vec![("x-ms-retry-after-ms", "4000")], Some(4.0)),
        (vec![("x-retry-after", "4")], Some(4.0)),
        (vec![("retry-after-seconds", "4")], Some(4.0)),
        (vec![("x-retry-after-seconds", "4")], Some(4.0)),
        (vec![("retry_after", "4")], Some(4.0)),
        (vec![("x-ratelimit-retryafter", "4")], Some(4.0)),
        (vec![("retry-after", "\"4\"")], Some(4.0)),
        (vec![("retry-after", "4;comment")], Some(4.0)),
        (vec![("retry-after", "Sun, 22 Nov 2026 12:00:04 UTC")], Some(4.0)),
        (vec![("retry-after", "Sun, 22 Nov 2026 12:00:04 +0000")], Some(4.0)),
        (vec![("ratelimit", "r=0;t=4")], Some(4.0)),
        (vec![("ratelimit", "remaining=0, reset=4, limit=20")], Some(4.0)),
        (vec![("ratelimit", "limit=20, remaining=0, reset=4, policy=20;w=60")], Some(4.0)),
        (
            vec![
                ("ratelimit-limit", "20"),
                ("ratelimit-remaining", "0"),
                ("ratelimit-reset", "1795348804"),
            ],
            Some(4.0),
        ),
        (
            vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "2026-11-22T12:00:04Z")],
            Some(4.0),
        ),
        (
            vec![
                ("x-ratelimit-remaining", "0"),
                ("x-ratelimit-reset", "Sun, 22 Nov 2026 12:00:04 GMT"),
            ],
            Some(4.0),
        ),
        (
            vec![
                ("x-ratelimit-remaining-minute", "0"),
                ("ratelimit-remaining", "0"),
                ("ratelimit-reset", "4"),
            ],
            Some(4.0),
        ),
        (vec![("llm_provider-retry-after", "4")], Some(4.0)),
        (vec![("x-ratelimit-reset-after", "4")], Some(4.0)),
        // The IETF's drafts: 3 to 6, 7, 8 to 10.
        (
            vec![("ratelimit-limit", "20"), ("ratelimit-remaining", "0"), ("ratelimit-reset", "4")],
            Some(4.0),
        ),
        (
            vec![
                ("ratelimit-limit", "20, 20;w=60"),
                ("ratelimit-remaining", "0"),
                ("ratelimit-reset", "4, 4"),
            ],
            Some(4.0),
        ),
        (vec![("ratelimit-reset", "4")], Some(4.0)),
        (vec![("ratelimit", "limit=20, remaining=0, reset=4")], Some(4.0)),
        (vec![("ratelimit", "limit=20,remaining=0,reset=4")], Some(4.0)),
        (vec![("ratelimit", r#""default";r=0;t=4"#)], Some(4.0)),
        (vec![("ratelimit", "default;r=0;t=4")], Some(4.0)),
        (vec![("ratelimit", r#""minute"; r=0; t=4, "day"; r=900; t=80000"#)], Some(4.0)),
        (
            vec![("ratelimit", r#""day";r=900;t=80000"#), ("ratelimit", r#""minute";r=0;t=4"#)],
            Some(4.0),
        ),
        (
            vec![
                ("ratelimit-policy", r#""a, b";q=10;w=60"#),
                ("ratelimit", r#""a, b";r=0;pk=:cGs=:;t=4"#),
            ],
            Some(4.0),
        ),
        (vec![("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "4")], Some(4.0)),
        (vec![("x-ratelimit-reset", "1795348804")], Some(4.0)),
        (vec![("x-rate-limit-remaining", "0"), ("x-rate-limit-reset", "1795348804")], Some(4.0)),
        // Of this one there is some left: it is not what refused.
        (vec![("ratelimit-remaining", "3"), ("ratelimit-reset", "4")], None),
        (vec![("ratelimit", r#""default";r=3;t=4"#)], None),
        (vec![("retry-after", "soon")], None),
        (vec![("retry-after", "-4")], None),
    ] {
        let wait = seconds.map(Duration::from_secs_f64);
        let body = r#"{"error":{"message":"Too many requests"}}"#;
        for status in [429, 403] {
            let read = failure(status, &headers, body).class;
            assert_eq!(read, FailureClass::Throttled { wait, width: None }, "{status} {headers:?}");
        }
    }
    // What is no matter of a limit is not kept waiting for one, unless it asks for that.
    let limits = [("ratelimit-remaining", "0"), ("ratelimit-reset", "4")];
    assert_eq!(failure(500, &limits, "").wait, None);
    assert_eq!(failure(500, &[("retry-after", "4, 4")], "").wait, Some(Duration::from_secs(4)));
}

#[test]
fn a_wait_is_heard_in_every_body_that_says_it() {
    let escaped = |body: &str| serde_json::Value::from(body).to_string();
    let google = r#"{"error": {"code": 429, "message": "Quota exceeded.", "details": [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "4s"}]}}"#;
    let mut bodies = vec![
        google.to_owned(),
        format!("[{google}]"),
        google.replace(r#""4s""#, r#"{"seconds": 4, "nanos": 0}"#),
        google.replace("retryDelay", "retry_delay"),
        // Behind OpenRouter, in LiteLLM's words, as Python writes bytes.
        format!(r#"{{"error":{{"message":"Provider returned error","code":429,"metadata":{{"raw":{}}}}}}}"#, escaped(google)),
        format!(r#"{{"error":{{"message":{},"type":"throttling_error","code":"429"}}}}"#, escaped(&format!("litellm.RateLimitError: litellm.RateLimitError: VertexAIException - {google}"))),
        format!(r#"{{"error":{{"message":{},"code":"429"}}}}"#, escaped(&format!("litellm.RateLimitError: geminiException - b'{}'", google.replace(r#"" "#, r#""\n  "#)))),
        format!(r#"{{"error":{{"message":{}}}}}"#, escaped(&format!(r#"{{"error":{{"message":{}}}}}"#, escaped(google)))),
        r#"{"error":{"message":"Provider returned error","code":429,"metadata":{"raw":"temporarily rate-limited upstream. Please retry in 4 seconds","provider_name":"P"}}}"#.into(),
    ];
    for fields in [
        r#""retry_after":4"#,
        r#""retry_after":"4""#,
        r#""retry_after":4.0"#,
        r#""retry_after":"4s""#,
        r#""retryAfter":4"#,
        r#""retry-after":"4""#,
        r#""Retry-After":"4""#,
        r#""retry_after_seconds":4"#,
        r#""estimated_time":4.0"#,
        r#""retryAfterSeconds":4"#,
        r#""retry_after_ms":4000"#,
        r#""retryAfterMs":4000"#,
        r#""resets_in_seconds":4"#,
        r#""metadata":{"raw":"busy","retry_after_seconds":4}"#,
        r#""metadata":{"headers":{"Retry-After":"4"}}"#,
        r#""metadata":{"headers":{"X-RateLimit-Limit":"20","X-RateLimit-Remaining":"0","X-RateLimit-Reset":"1795348804000"}}"#,
        r#""metadata":{"headers":{"X-RateLimit-Reset":1795348804}}"#,
        r#""retry_after_sec":4"#,
        r#""retry_after_s":4"#,
        r#""retryAfterInSeconds":4"#,
        r#""wait":4"#,
        r#""wait_time":4"#,
        r#""waitTime":"4s""#,
        r#""cooldown":4"#,
        r#""retry_at":"2026-11-22T12:00:04Z""#,
        r#""next_retry_at":1795348804"#,
        r#""seconds_until_reset":4"#,
        r#""reset_in":"4s""#,
        r#""reset":1795348804"#,
        r#""metadata":{"retry_after_seconds":4.0}"#,
        r#""retry_info":{"retry_delay":{"seconds":4}}"#,
        r#""retryDelayMs":4000"#,
        r#""resets_at":1795348804"#,
        r#""reset_at":"2026-11-22T12:00:04Z""#,
        r#""reset_at":"2026-11-22 12:00:04 UTC""#,
    ] {
        bodies.push(format!(r#"{{"error":{{"message":"Too many requests",{fields}}}}}"#));
        bodies.push(format!(r#"{{"error":"Too many requests",{fields}}}"#));
        bodies.push(format!(r#"{{"message":"Too many requests",{fields},"a":[7, 8]}}"#));
    }
    for words in [
        "Please try again in 4s.",
        "Please try again in 4 seconds",
        "Try again after 4 seconds.",
        "try again in 4.0s",
        "Retry after 4 seconds.",
        "Please retry in 4s",
        "Please wait 4 seconds before retrying.",
        "please wait for 4 seconds",
        "Please wait at least 4s",
        "wait another 4 sec",
        "Wait about 4 seconds and try again",
        "Limit resets in 4 seconds",
        "Your limit will reset in 4s.",
        "resets after 4s",
        "Available again in 4 seconds",
        "Next request allowed in 4s",
        "Retry-After: 4",
        "retry_after=4",
        "Limit resets at: 2026-11-22 12:00:04 UTC",
        "Try again at 2026-11-22T12:00:04Z.",
        "try again after 2026-11-22T12:00:04Z",
        "Please try again in 4000ms",
        "in 1 minute 20 requests; retry after 00:00:04",
        "Please slow down and retry in 4 seconds",
        "You can retry after 4 s",
        "Quota will reset after 4 seconds",
        "Wait 4s before the next request",
        "Retry in: 4s",
        "try again in 0m4s",
        "Expected available in 4 seconds.",
        "please back off for 4 seconds",
        "Please try again later in 4 seconds",
        "Rate limited, retryAfter: 4",
        "Please try your request again in 4 seconds.",
        "Retry-After 4 seconds",
        "Cool down for 4 seconds",
        "cooldown 4s",
        "Rate limit reached, next reset in 4 seconds",
        "please try again 4 seconds later",
        "retry 4 seconds later",
        "Too fast; sleep 4s",
        "请求过快，请 4 秒后再来",
        "请间隔4秒再试",
        "预计4秒后恢复",
        "请休息4秒后再试",
        "将于4秒后解除限制",
        "需等待4秒",
        "剩余等待时间：4秒",
        "稍等4秒再试",
        "请4秒后重试",
        "请在 4 秒后重试。",
        "请等待4秒",
        "请等待约 4 秒后再试",
        "请于4秒之后重试",
        "请稍后 4 秒再试",
        "4s后重试",
        "触发限流（每60秒最多20次），请4秒后再试",
        "您的限额将在 2026-11-22 20:00:04 重置。",
        "请四秒钟后重试",
    ] {
        bodies.push(
            serde_json::json!({"error":{"message":format!("Too many requests. {words}")}})
                .to_string(),
        );
        bodies.push(
            serde_json::json!({"code":429,"msg":format!("rate limited, {words}"),"data":null})
                .to_string(),
        );
        bodies.push(format!("Too many requests. {words}"));
    }
    for body in bodies {
        let wait = Some(Duration::from_secs(4));
        for status in [429, 403] {
            let read = failure(status, &[], &body).class;
            assert_eq!(read, FailureClass::Throttled { wait, width: None }, "{status} {body}");
        }
    }
}

#[test]
fn what_is_no_wait_is_not_heard_as_one_and_a_limit_of_the_day_is_waited_for_till_then() {
    let day = Some(Duration::from_secs(86_400));
    for (message, wait) in [
        ("Too many requests", None),
        ("Please retry after 3 attempts", None),
        ("try again in a while", None),
        ("触发限流：每60秒最多20次", None),
        ("请稍后重试", None),
        (
            "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 1000 free requests",
            day,
        ),
        ("Requests per day (RPD): limit 1. Please try again in 7.2s", day),
        ("Limits are 20 requests per minute and 1000 per day", None),
        (
            "Limits are 20 requests per minute and 1000 per day, try again in 7s",
            Some(Duration::from_secs(7)),
        ),
        ("Open api daily request limit reached", day),
        ("该 API 已达今日调用次数限额", day),
        ("You have used up your daily free allocation of 10,000 neurons", day),
    ] {
        let body = serde_json::json!({"error":{"message":message}}).to_string();
        let read = class(429, &body);
        assert_eq!(read, FailureClass::Throttled { wait, width: None }, "{message}");
    }
}

#[test]
fn a_wait_in_a_header_counts_for_more_than_words_about_a_day() {
    let body = r#"{"error":{"message":"Rate limit reached on requests per day (RPD): Limit 10000, Used 10000, Requested 1. Please try again in 8.64s.","code":"rate_limit_exceeded"}}"#;
    for (header, value) in [("retry-after", "9"), ("retry-after-ms", "9000")] {
        let read = failure(429, &[(header, value)], body).class;
        let wait = Some(Duration::from_secs(9));
        assert_eq!(read, FailureClass::Throttled { wait, width: None }, "{header}");
    }
}

#[test]
fn a_prompt_that_does_not_fit_is_told_in_every_services_words() {
    for message in [
        "This model's maximum context length is 4097 tokens. However, you requested 5000 tokens",
        "The input token count (1198271) exceeds the maximum number of tokens allowed (1048576).",
        "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length or `max_tokens` and try again",
        "prompt is too long: 210000 tokens > 200000 maximum",
        "The input (9000 tokens) is longer than the model's context length (8192 tokens).",
        "Input validation error: `inputs` must have less than 4095 tokens. Given: 5000",
        "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 8193. Given: 9000 `inputs` tokens and 100 `max_new_tokens`",
        "This model's maximum prompt length is 131072 but the request contains 200000 tokens.",
        "Invalid request: Your request exceeded model token limit: 8192 (requested: 9000)",
        "<400> InternalError.Algo.InvalidParameter: Range of input length should be [1, 30720]",
        "Trying to keep the first 6190 tokens when context the overflows. However, the model is loaded with context length of only 4096 tokens",
        "The number of tokens to keep from the initial prompt is greater than the context length.",
        "the input length exceeds the context length",
        "Input is too long for requested model.",
        "too many tokens: total number of tokens in the prompt cannot exceed 4081",
        "invalid params, context window exceeds limit (2013)",
        "Please reduce the length of the messages or completion.",
        "Prompt exceeds max length",
    ] {
        for status in [400, 413, 422] {
            let body = serde_json::json!({"error":{"message":message}}).to_string();
            let read = class(status, &body);
            assert_eq!(read, FailureClass::Refused(Refusal::Question), "{status} {message}");
        }
    }
}

#[test]
fn a_question_refused_for_its_content_is_told_in_every_services_words() {
    for (status, body) in [
        (
            200,
            r#"{"base_resp":{"status_code":1026,"status_msg":"input new_sensitive"},"choices":null}"#,
        ),
        (
            200,
            r#"{"base_resp":{"status_code":1027,"status_msg":"output new_sensitive"},"choices":null}"#,
        ),
        (200, r#"{"base_resp":{"status_code":1026,"status_msg":"?"},"choices":null}"#),
        (400, r#"{"type":"error","error":{"type":"x","message":"input new_sensitive (1026)"}}"#),
        (
            400,
            r#"{"contentFilter":[{"level":1,"role":"user"}],"error":{"code":"1301","message":"系统检测到输入或生成内容可能包含不安全或敏感内容，请您避免输入易产生敏感内容的提示语，感谢您的配合。"}}"#,
        ),
        (400, r#"{"error":{"code":"1301","message":"?"}}"#),
        (
            451,
            r#"{"error":{"message":"The content you provided or machine outputted is blocked.","type":"censorship_blocked"}}"#,
        ),
        (
            400,
            r#"{"error":{"code":"InputTextSensitiveContentDetected","message":"The request failed because the input text may contain sensitive information."}}"#,
        ),
        (
            400,
            r#"{"code":"DataInspectionFailed","message":"Input data may contain inappropriate content."}"#,
        ),
        (400, r#"{"error":{"message":"Content Exists Risk"}}"#),
    ] {
        let read = class(status, body);
        assert_eq!(read, FailureClass::Refused(Refusal::Moderation), "{status} {body}");
    }
    // A real 451 may be about a country.
    let closed = r#"{"error":{"message":"not available in your region"}}"#;
    assert_eq!(class(451, closed), FailureClass::Refused(Refusal::Request));
}
