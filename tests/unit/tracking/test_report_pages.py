from editfoundry.tracking.report_pages import report_url


def test_a_report_has_an_address_where_reports_are_served_and_nothing_else_has(tmp_path, monkeypatch):
    page = tmp_path / "reports" / "my editor" / "report.html"
    monkeypatch.delenv("EDITFOUNDRY_REPORTS_URL", raising=False)
    assert report_url(page, tmp_path) is None
    monkeypatch.setenv("EDITFOUNDRY_REPORTS_URL", "http://127.0.0.1:8080/")
    assert report_url(page, tmp_path) == "http://127.0.0.1:8080/my%20editor/report.html"
    assert report_url(tmp_path / "data" / "report.html", tmp_path) is None
